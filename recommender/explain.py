"""Explain: why one item stands in another's list, or why it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender import pipeline
from recommender.arrays import Rows
from recommender.artifacts import Artifact
from recommender.basis import Basis
from recommender.builds import read_interactions, read_lists
from recommender.catalogue import Catalogue
from recommender.chooser import Chooser, Trail
from recommender.evidence import EvidenceScale
from recommender.interactions import Interactions
from recommender.neighbours import RelatedLists
from recommender.pipeline import Job
from recommender.protocols import Proposer
from recommender.related import EVIDENCE
from recommender.vectors import Embeddings


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
    """Where an entry stands in a published list."""

    rank: int
    score: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decided whether `other` stands in the list of `item`.

    `ranked` is the rank among `candidates` and the score that the ranker gave it, None where no
    source proposed it; `dropped_by` the rule that dropped it. `standing` is its place in the
    published list of `entries`, `reverse` that of the item in the other's list.
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
    standing: Standing | None
    entries: int
    reverse: Standing | None
    verdict: str


def explain(job: Job, build: Artifact, rows: tuple[int, int], placement: str) -> Explanation:
    """Retrace the choice of one list of a build, with the job of the run that made it.

    `rows` are those of the item that asks and the other. Raises: ArtifactError where the parts of
    the build are gone.
    """
    row, other = rows
    chooser, basis = pipeline.retraced(job, build, placement)
    lists = read_lists(job.artifacts, build, placement)
    trail = chooser.trail(row)
    standing, ranked = _standing(lists, row, other), _ranked(trail, other)
    asked = {name: int((found != row).sum()) for name, found in trail.proposed}
    proposers = zip(chooser.placement.candidates, chooser.proposals.proposers, strict=True)
    dropped_by = trail.dropped.get(other, "")
    ids = basis.catalogue.ids.ids
    return Explanation(
        item=ids[row],
        other=ids[other],
        placement=placement,
        nearness=_nearness(basis, row, other),
        together=_together(read_interactions(job.artifacts, build), row, other),
        proposed=[
            Proposed(choice.use, _rank(proposer, row, other, len(ids)), asked[choice.use])
            for choice, proposer in proposers
        ],
        candidates=int(trail.ranked.found.sum()),
        ranked=ranked,
        dropped_by=dropped_by,
        dropped=_counted(trail.dropped),
        standing=standing,
        entries=int(lists.sizes[row]),
        reverse=_standing(lists, other, row),
        verdict=_verdict(chooser, trail, lists, rows),
    )


def _nearness(basis: Basis, row: int, other: int) -> list[Nearness]:
    scale = EvidenceScale.measured(basis.embeddings)
    return [
        Nearness(name, _cosine(origin, row, other), float(scale.near[name]))
        for name, origin in basis.embeddings.items()
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


def _rank(proposer: Proposer, row: int, other: int, n_items: int) -> int | None:
    """The fewest candidates that a source must be asked for to name the other item.

    The asking item itself, which a source may name, is not counted.
    """
    asking = np.array([row], dtype=np.int32)

    def named(k: int) -> bool:
        return bool((proposer.propose(asking, k).rows == other).any())

    if not named(n_items):
        return None
    low, high = 1, n_items
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if named(middle) else (middle + 1, high)
    return low - int((proposer.propose(asking, low).rows == row).any())


def _ranked(trail: Trail, other: int) -> tuple[int, float] | None:
    (places,) = np.nonzero(trail.ranked.rows[0] == other)
    if not len(places):
        return None
    return int(places[0]) + 1, float(trail.ranked.scores[0, places[0]])


def _standing(lists: RelatedLists, row: int, other: int) -> Standing | None:
    listed = slice(int(lists.offsets[row]), int(lists.offsets[row + 1]))
    (places,) = np.nonzero(lists.rows[listed] == other)
    if not len(places):
        return None
    at = listed.start + int(places[0])
    return Standing(int(places[0]) + 1, float(lists.scores[at]), EVIDENCE[lists.evidence[at]])


def _counted(dropped: Mapping[int, str]) -> dict[str, int]:
    names = list(dropped.values())
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _verdict(chooser: Chooser, trail: Trail, lists: RelatedLists, rows: tuple[int, int]) -> str:
    """One sentence: why, or why not."""
    row, other = rows
    standing, ranked = _standing(lists, row, other), _ranked(trail, other)
    depth, shown = chooser.placement.depth, chooser.placement.shown
    if row == other:
        return "an item never stands in its own list"
    if standing is not None:
        filling = " as a best seller, to fill the list up" if standing.evidence == "popular" else ""
        behind = "" if standing.rank <= shown else f", behind the {shown} that a page shows"
        return f"it stands in the list, at {standing.rank}{filling}{behind}"
    if other in trail.dropped:
        return _dropped(chooser, trail, lists, rows)
    if ranked is None:
        return "not among the candidates of any source"
    place = int((~np.isin(trail.ranked.rows[0, : ranked[0] - 1], [*trail.dropped])).sum()) + 1
    if place > depth:
        return f"ranked {place} of those that pass the rules, the list has {depth}"
    return "it would stand in the list, but too many lists have it already (hub_share)"


def _dropped(chooser: Chooser, trail: Trail, lists: RelatedLists, rows: tuple[int, int]) -> str:
    row, other = rows
    catalogue, stage = chooser.catalogue, trail.dropped[other]
    if stage == "in-stock":
        return "out of stock"
    if stage == "one-per-group":
        return _variant(catalogue, _listed(lists, row), row, other)
    if stage == "min_score":
        ranked = _ranked(trail, other)
        score = ranked[1] if ranked else 0.0
        return f"its score {score:.3f} is below min_score {chooser.placement.min_score:g}"
    parameters = next(
        (rule.parameters for rule in chooser.placement.rules if rule.use == stage), {}
    )
    told = ", ".join(f"{name} = {value}" for name, value in parameters.items())
    return f"the rule {stage}{f' ({told})' if told else ''} drops it"


def _variant(catalogue: Catalogue, listed: Rows, row: int, other: int) -> str:
    codes = catalogue.group_codes
    if codes[row] == codes[other]:
        return "a variant of the item itself"
    kin = [place for place, one in enumerate(listed.tolist(), 1) if codes[one] == codes[other]]
    if not kin:
        return "another variant of its product is preferred"
    shown = catalogue.ids.ids[int(listed[kin[0] - 1])]
    return f"a variant of {shown}, which stands at {kin[0]}"


def _listed(lists: RelatedLists, row: int) -> Rows:
    return lists.rows[int(lists.offsets[row]) : int(lists.offsets[row + 1])]
