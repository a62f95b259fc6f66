"""Explain: why one item is in the related list of another, or why it is not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender import pipeline
from recommender.build.contents import read_interactions
from recommender.build.job import Job
from recommender.core.lists import Entries
from recommender.core.protocols import PreparedGenerator, RankingContext
from recommender.core.related import EVIDENCE
from recommender.core.vectors import Embeddings
from recommender.insights.together import Together, UnitsByItem, units_by_kind
from recommender.live.live_state import EffectiveLists, LiveState, RuleDeed
from recommender.ranking.chooser import Chooser, Trail
from recommender.ranking.evidence import EvidenceScale

_KEPT_OUT = {
    "moved": "keeps it out",
    "barred": "would pin it, but it is excluded or out of stock",
    "displaced": "would pin it, but another pin has its place",
}


@dataclass(frozen=True, slots=True)
class Nearness:
    """The cosine of two items in one origin, None if one of them has no vector there.

    `near` is the cosine that one in a hundred of random pairs exceeds.
    """

    origin: str
    cosine: float | None
    near: float


@dataclass(frozen=True, slots=True)
class Proposed:
    """The rank that a candidate generator gives the other item, None if it never proposes it.

    `asked` is the number of candidates that the generator was asked for and gave.
    """

    source: str
    rank: int | None
    asked: int


@dataclass(frozen=True, slots=True)
class Position:
    """The place of an entry in a served list, its score and its evidence."""

    rank: int
    score: float
    evidence: str


@dataclass(frozen=True, slots=True)
class ActedRule:
    """A merchandisers' rule that acted in the list of the item; `on_other`: on the other item.

    `deed` says whether it moved something, or whether its pin was barred or displaced.
    """

    name: str
    rule: str
    deed: str
    on_other: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decided whether `other` is in the list of `item`.

    `ranked` is its rank among `candidates` and its score, None if no generator proposed it;
    `dropped_by` is the filter that dropped it, and `dropped` counts all candidates by filter.
    `merchandised` has the merchandisers' rules that acted. `standing` is its position among the
    served `entries`, `reverse` the position of the item in the other's list.
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
    standing: Position | None
    entries: int
    reverse: Position | None
    verdict: str


@dataclass(frozen=True)
class Explainer:
    """Ready to explain all lists of one placement of the live build.

    `units` are those of each kind of interaction. Ranks of candidate generators are looked for
    among the first `ranks_most` of their proposals, None for all items.
    """

    placement: str
    chooser: Chooser
    context: RankingContext
    scale: EvidenceScale
    lists: EffectiveLists
    units: Mapping[str, UnitsByItem]
    ranks_most: int | None = None

    @classmethod
    def prepared(
        cls, job: Job, live: LiveState, placement: str, *, ranks_most: int | None = None
    ) -> "Explainer":
        """Load what the lists of the live build were chosen from, by the job of its run.

        Raises: ArtifactError if parts of the build are gone.
        """
        chooser, context = pipeline.plan(job).placement(live.build.key, placement).inputs.chooser()
        return cls(
            placement,
            chooser,
            context,
            EvidenceScale.measured(context.origins),
            live.effective(placement),
            units_by_kind(read_interactions(job.artifacts, live.build), len(context.catalogue)),
            ranks_most,
        )

    def explain(self, row: int, other: int) -> Explanation:
        """Retrace how the list of `row` was chosen, and where `other` was in it."""
        chooser, lists = self.chooser, self.lists
        traced = _Trace(row, other, chooser, chooser.trail(row), lists, *lists.of(row))
        ids = self.context.catalogue.ids.ids
        return Explanation(
            item=ids[row],
            other=ids[other],
            placement=self.placement,
            nearness=[
                Nearness(name, _cosine(origin, row, other), float(self.scale.near[name]))
                for name, origin in self.context.origins.by_name().items()
            ],
            together=[one.together(kind, row, other) for kind, one in self.units.items()],
            proposed=traced.proposed(self.ranks_most or len(ids)),
            candidates=int(traced.trail.ranked.found.sum()),
            ranked=traced.ranked(),
            dropped_by=traced.trail.dropped.get(other, ""),
            dropped=dict(Counter(traced.trail.dropped.values())),
            merchandised=[
                ActedRule(one.name, one.rule, one.deed, other in one.about) for one in traced.deeds
            ],
            standing=_position(traced.served, other),
            entries=len(traced.served.rows),
            reverse=_position(lists.of(other)[0], row),
            verdict=traced.verdict(),
        )


def explain(job: Job, live: LiveState, rows: tuple[int, int], placement: str) -> Explanation:
    """Retrace how one served list of the live build was chosen, with the job of its run.

    `rows` are those of the item whose list it is and of the other item.
    Raises: ArtifactError if parts of the build are gone.
    """
    return Explainer.prepared(job, live, placement).explain(*rows)


def _cosine(origin: Embeddings, row: int, other: int) -> float | None:
    if not (origin.support[row] > 0 and origin.support[other] > 0):
        return None
    return float(origin.matrix[row] @ origin.matrix[other])


def _position(served: Entries, row: int) -> Position | None:
    (places,) = np.nonzero(served.rows == row)
    if not len(places):
        return None
    at = int(places[0])
    return Position(at + 1, float(served.scores[at]), EVIDENCE[served.evidence[at]])


def _rank(generator: PreparedGenerator, row: int, other: int, most: int) -> int | None:
    """The least number of candidates to ask a generator for so that it proposes the other item.

    None if it is not among the `most`. The item itself, which a generator may propose, is not
    counted.
    """
    query = np.array([row], dtype=np.int32)

    def proposes(k: int) -> bool:
        return bool((generator.propose(query, k).rows == other).any())

    if not proposes(most):
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if proposes(middle) else (middle + 1, high)
    return low - int((generator.propose(query, low).rows == row).any())


@dataclass(frozen=True, slots=True)
class _Trace:
    """How the list of `row` was chosen, what is `served`, and the rules that acted in it."""

    row: int
    other: int
    chooser: Chooser
    trail: Trail
    lists: EffectiveLists
    served: Entries
    deeds: Sequence[RuleDeed]

    def proposed(self, most: int) -> list[Proposed]:
        """The rank of the other item by each candidate generator."""
        asked = {name: int((found != self.row).sum()) for name, found in self.trail.proposed}
        chooser = self.chooser
        names = [choice.use for choice in chooser.placement.candidates]
        return [
            Proposed(name, _rank(generator, self.row, self.other, most), asked[name])
            for name, generator in zip(names, chooser.proposals.generators, strict=True)
        ]

    def ranked(self) -> tuple[int, float] | None:
        """Rank and score of the other item by the ranker."""
        (places,) = np.nonzero(self.trail.ranked.rows[0] == self.other)
        if not len(places):
            return None
        return int(places[0]) + 1, float(self.trail.ranked.scores[0, places[0]])

    def verdict(self) -> str:
        """The reason in one sentence."""
        if self.row == self.other:
            return "an item is never in its own list"
        about = [one for one in self.deeds if self.other in one.about]
        position = _position(self.served, self.other)
        if position is not None:
            return self._listed(position, about)
        if about:
            acted = about[0]
            effect = _KEPT_OUT[acted.deed]
            return f"a merchandisers' rule {effect}: {acted.name} ({acted.rule})"
        if self.other in self.lists.built.of(self.row).rows:
            return "it is in the list of the build, but an overlay published later removed it"
        return self._dropped() if self.other in self.trail.dropped else self._not_chosen()

    def _listed(self, position: Position, about: Sequence[RuleDeed]) -> str:
        shown = self.chooser.placement.shown
        filler = ", as a best seller that fills up the list" * (position.evidence == "popular")
        hidden = "" if position.rank <= shown else f", after the {shown} that a page shows"
        moved = ", ".join(f"{one.name} ({one.rule})" for one in about if one.deed == "moved")
        rule = f"; a merchandisers' rule moved it: {moved}" if moved else ""
        return f"it is in the list, at rank {position.rank}{filler}{hidden}{rule}"

    def _not_chosen(self) -> str:
        ranked, depth = self.ranked(), self.chooser.placement.depth
        if ranked is None:
            return "no candidate generator proposed it"
        before = self.trail.ranked.rows[0, : ranked[0] - 1]
        place = int((~np.isin(before, [*self.trail.dropped])).sum()) + 1
        if place > depth:
            return f"ranked {place} of those that pass the filters, the list has {depth}"
        return "it would be in the list, but too many lists have it already (hub_share)"

    def _dropped(self) -> str:
        stage, placement = self.trail.dropped[self.other], self.chooser.placement
        if stage == "in-stock":
            return "out of stock"
        if stage == "one-per-group":
            return self._variant()
        if stage == "min_score":
            _, score = self.ranked() or (0, 0.0)
            return f"its score {score:.3f} is below min_score {placement.min_score:g}"
        chosen = next((one.parameters for one in placement.filters if one.use == stage), {})
        parameters = ", ".join(f"{name} = {value}" for name, value in chosen.items())
        return f"the filter {stage}{f' ({parameters})' if parameters else ''} drops it"

    def _variant(self) -> str:
        catalogue = self.chooser.catalogue
        codes = catalogue.group_codes
        if codes[self.row] == codes[self.other]:
            return "a variant of the item itself"
        for place, listed in enumerate(self.served.rows.tolist(), 1):
            if listed < len(catalogue) and codes[listed] == codes[self.other]:
                return f"a variant of {catalogue.ids.ids[listed]}, which is at rank {place}"
        return "another variant of its product is preferred"
