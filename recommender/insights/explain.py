"""Explain: why one item stands in another's list, or why it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender import pipeline
from recommender.build.contents import read_interactions
from recommender.build.job import Job
from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.interactions import Interactions
from recommender.core.lists import Entries
from recommender.core.protocols import PreparedGenerator
from recommender.core.related import EVIDENCE
from recommender.core.vectors import Embeddings
from recommender.live.live_state import EffectiveLists, LiveState, RuleDeed
from recommender.ranking.chooser import Chooser, Trail
from recommender.ranking.evidence import EvidenceScale


@dataclass(frozen=True, slots=True)
class Together:
    """How often two items shared a basket, session or user, by one kind of interaction.

    `lift` is how many times more often than if they had nothing to do with each other, 0 where
    they never met.
    """

    kind: str
    units: int
    users: int
    units_of_item: int
    units_of_other: int
    lift: float


@dataclass(frozen=True, slots=True)
class Nearness:
    """The cosine of two items in one origin, None where one of them has no vector there.

    `near` is the cosine that one in a hundred of random pairs exceeds.
    """

    origin: str
    cosine: float | None
    near: float


@dataclass(frozen=True, slots=True)
class Proposed:
    """The rank that a candidate source gives the other item, None where it never names it.

    `asked` is how many candidates the source was asked for and gave.
    """

    source: str
    rank: int | None
    asked: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an entry stands in a served list."""

    rank: int
    score: float
    evidence: str


@dataclass(frozen=True, slots=True)
class ActedRule:
    """A merchandisers' rule that acted in the list of the item; `on_other`: on the other item.

    `deed` says whether it moved something, or had its pin barred or displaced.
    """

    name: str
    rule: str
    deed: str
    on_other: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decided whether `other` stands in the list of `item`.

    `ranked` is the rank among `candidates` and the score that the ranker gave it, None where no
    source proposed it; `dropped_by` the rule that dropped it. `merchandised` are the merchandisers'
    rules that acted. `standing` is its place in the served list of `entries`, `reverse` that of the
    item in the other's list.
    """

    item: str
    other: str
    placement: str
    nearness: Sequence[Nearness]
    together: Sequence[Together]
    proposed: Sequence[Proposed]
    candidates: int
    ranked: tuple[int, float] | None
    dropped_by: str
    dropped: Mapping[str, int]
    merchandised: Sequence[ActedRule]
    standing: Standing | None
    entries: int
    reverse: Standing | None
    verdict: str


def explain(job: Job, live: LiveState, rows: tuple[int, int], placement: str) -> Explanation:
    """Retrace the choice of one list of the live build, with the job of the run that made it.

    The list is explained as it is served. `rows` are those of the item whose list it is and of the
    other item. Raises: ArtifactError where the parts of the build are gone.
    """
    row, other = rows
    chooser, context = pipeline.plan(job).placement(live.build.key, placement).inputs.chooser()
    lists = live.effective(placement)
    (served, deeds), trail = lists.of(row), chooser.trail(row)
    standing, ranked = _standing(served, other), _ranked(trail, other)
    asked = {name: int((found != row).sum()) for name, found in trail.proposed}
    generators = zip(chooser.placement.candidates, chooser.proposals.generators, strict=True)
    dropped_by = trail.dropped.get(other, "")
    ids = context.catalogue.ids.ids
    return Explanation(
        item=ids[row],
        other=ids[other],
        placement=placement,
        nearness=_nearness(context, row, other),
        together=_together(read_interactions(job.artifacts, live.build), row, other),
        proposed=[
            Proposed(choice.use, _rank(generator, row, other, len(ids)), asked[choice.use])
            for choice, generator in generators
        ],
        candidates=int(trail.ranked.found.sum()),
        ranked=ranked,
        dropped_by=dropped_by,
        dropped=_counted(trail.dropped),
        merchandised=[ActedRule(one.name, one.rule, one.deed, other in one.about) for one in deeds],
        standing=standing,
        entries=len(served.rows),
        reverse=_standing(lists.of(other)[0], row),
        verdict=_verdict(chooser, trail, lists, rows),
    )


def _nearness(context: RankingContext, row: int, other: int) -> list[Nearness]:
    scale = EvidenceScale.measured(context.origins)
    return [
        Nearness(name, _cosine(origin, row, other), float(scale.near[name]))
        for name, origin in context.origins.by_name().items()
    ]


def _cosine(origin: Embeddings, row: int, other: int) -> float | None:
    if not (origin.support[row] > 0 and origin.support[other] > 0):
        return None
    return float(origin.matrix[row] @ origin.matrix[other])


def _together(events: Interactions, row: int, other: int) -> list[Together]:
    """By kind, in the finest unit that the kind has."""
    found = []
    for code, kind in enumerate(events.kinds):
        of_kind = events.select(events.kind == code)
        units = of_kind.units_of()
        known = units >= 0
        asking, having = (np.unique(units[known & (of_kind.item == one)]) for one in (row, other))
        both = np.intersect1d(asking, having)
        total = len(np.unique(units[known]))
        users = of_kind.user[np.isin(units, both) & (of_kind.user >= 0)]
        expected = len(asking) * len(having)
        found.append(
            Together(
                kind,
                len(both),
                len(np.unique(users)),
                len(asking),
                len(having),
                len(both) * total / expected if expected else 0.0,
            )
        )
    return found


def _rank(generator: PreparedGenerator, row: int, other: int, n_items: int) -> int | None:
    """The fewest candidates that a source must be asked for to name the other item.

    The asking item itself, which a source may name, is not counted.
    """
    asking = np.array([row], dtype=np.int32)

    def named(k: int) -> bool:
        return bool((generator.propose(asking, k).rows == other).any())

    if not named(n_items):
        return None
    low, high = 1, n_items
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if named(middle) else (middle + 1, high)
    return low - int((generator.propose(asking, low).rows == row).any())


def _ranked(trail: Trail, other: int) -> tuple[int, float] | None:
    (places,) = np.nonzero(trail.ranked.rows[0] == other)
    if not len(places):
        return None
    return int(places[0]) + 1, float(trail.ranked.scores[0, places[0]])


def _standing(served: Entries, other: int) -> Standing | None:
    (places,) = np.nonzero(served.rows == other)
    if not len(places):
        return None
    at = int(places[0])
    return Standing(at + 1, float(served.scores[at]), EVIDENCE[served.evidence[at]])


def _counted(dropped: Mapping[int, str]) -> dict[str, int]:
    names = list(dropped.values())
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _verdict(chooser: Chooser, trail: Trail, lists: EffectiveLists, rows: tuple[int, int]) -> str:
    """One sentence: why, or why not."""
    row, other = rows
    served, deeds = lists.of(row)
    standing = _standing(served, other)
    if row == other:
        return "an item never stands in its own list"
    about = [one for one in deeds if other in one.about]
    if standing is not None:
        return _stands(standing, chooser.placement.shown, about)
    if about:
        return _kept_out(about[0])
    if other in lists.built.of(row).rows:
        return "it stands in the list of the build, and left it for what lies over that since"
    return _unbuilt(chooser, trail, served, rows)


def _stands(standing: Standing, shown: int, about: Sequence[RuleDeed]) -> str:
    filling = " as a best seller, to fill the list up" if standing.evidence == "popular" else ""
    behind = "" if standing.rank <= shown else f", behind the {shown} that a page shows"
    moved = ", ".join(f"{one.name} ({one.rule})" for one in about if one.deed == "moved")
    why = f"; a merchandisers' rule moved it: {moved}" if moved else ""
    return f"it stands in the list, at {standing.rank}{filling}{behind}{why}"


def _kept_out(acted: RuleDeed) -> str:
    told = f"{acted.name} ({acted.rule})"
    if acted.deed == "barred":
        return f"a merchandisers' rule would pin it, but it is excluded or out of stock: {told}"
    if acted.deed == "displaced":
        return f"a merchandisers' rule would pin it, but another pin has its place: {told}"
    return f"a merchandisers' rule keeps it out: {told}"


def _unbuilt(chooser: Chooser, trail: Trail, served: Entries, rows: tuple[int, int]) -> str:
    """Why the build did not choose it."""
    other = rows[1]
    ranked = _ranked(trail, other)
    if other in trail.dropped:
        return _dropped(chooser, trail, served, rows)
    if ranked is None:
        return "not among the candidates of any source"
    place = int((~np.isin(trail.ranked.rows[0, : ranked[0] - 1], [*trail.dropped])).sum()) + 1
    depth = chooser.placement.depth
    if place > depth:
        return f"ranked {place} of those that pass the rules, the list has {depth}"
    return "it would stand in the list, but too many lists have it already (hub_share)"


def _dropped(chooser: Chooser, trail: Trail, served: Entries, rows: tuple[int, int]) -> str:
    row, other = rows
    catalogue, stage = chooser.catalogue, trail.dropped[other]
    if stage == "in-stock":
        return "out of stock"
    if stage == "one-per-group":
        return _variant(catalogue, served.rows, row, other)
    if stage == "min_score":
        ranked = _ranked(trail, other)
        score = ranked[1] if ranked else 0.0
        return f"its score {score:.3f} is below min_score {chooser.placement.min_score:g}"
    parameters = next(
        (rule.parameters for rule in chooser.placement.filters if rule.use == stage), {}
    )
    told = ", ".join(f"{name} = {value}" for name, value in parameters.items())
    return f"the rule {stage}{f' ({told})' if told else ''} drops it"


def _variant(catalogue: Catalogue, listed: Rows, row: int, other: int) -> str:
    codes = catalogue.group_codes
    if codes[row] == codes[other]:
        return "a variant of the item itself"
    known = listed[listed < len(catalogue)]
    kin = [one for one in known.tolist() if codes[one] == codes[other]]
    if not kin:
        return "another variant of its product is preferred"
    place = listed.tolist().index(kin[0]) + 1
    return f"a variant of {catalogue.ids.ids[kin[0]]}, which stands at {place}"
