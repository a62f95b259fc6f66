"""Chooser: candidates, ranked and filtered, for blocks of items."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.core.arrays import FloatVector, Rows, blocks, first_of_each
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import support
from recommender.core.lists import Entries
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import (
    FittedRanker,
    PreparedFilter,
    PreparedGenerator,
    RankingContext,
    Scorer,
    VectorIndex,
)
from recommender.core.recipe import Placement
from recommender.core.related import EVIDENCE
from recommender.core.telemetry import Advance
from recommender.ranking.best_sellers import BestSellers
from recommender.ranking.evidence import EvidenceScale
from recommender.ranking.filters.placement import NOT_FOR_SALE, SAME_TITLE, filters_of

BLOCK = 4096
MARGIN = 12
OVERDRAW = 2
WIDER = 4
SEARCH_ENTRIES = 40_000_000
LOWEST_SCORE = 1e-6
OF_TITLES, OF_MIN_SCORE = -3, -2
"""The places of two stages in `stages_of` any placement."""
POPULAR = np.uint8(EVIDENCE.index("popular"))


@dataclass(frozen=True, slots=True)
class Proposals:
    """Everything that proposes candidates for one placement."""

    generators: tuple[PreparedGenerator, ...]

    def of(self, rows: Rows, k: int) -> tuple[Neighbours, NDArray[np.bool_]]:
        """At most k candidates from each generator for the b rows, each once, the row excluded.

        Also where more candidates may exist (b,).
        """
        proposals = [generator.propose(rows, k) for generator in self.generators]
        more = np.zeros(len(rows), dtype=bool)
        for proposal in proposals:
            if proposal.rows.shape[1] >= k:
                more |= proposal.found[:, -1]
        united = Neighbours.ordered(
            np.hstack([proposal.rows for proposal in proposals]),
            np.hstack([proposal.scores for proposal in proposals]),
        )
        once = first_of_each(united.rows) & (united.rows != rows[:, None]) & united.found
        return united.keep(once, max(1, int(once.sum(axis=1).max(initial=0)))), more


@dataclass(frozen=True, slots=True)
class Chosen:
    """The lists of b items, and how many candidates of each list the stages dropped.

    Of each list of `entries` (b, depth) the first `own` (b,) entries are the item's own, the
    others are best sellers that fill it up. `dropped` (b, stages) is in the order of `stages_of`
    the placement; equal titles are counted as far as the list reaches. `sold` (b,) counts units.
    """

    entries: Entries
    own: NDArray[np.int64]
    dropped: NDArray[np.int32]
    sold: FloatVector


@dataclass(frozen=True, slots=True)
class Trail:
    """What happened to everything that was proposed for one item.

    `proposed` holds the rows that each candidate source named, best first; `ranked` (1, c) all of
    them as the ranker has them; `dropped` which stage dropped a row. A row of `ranked` that was
    neither dropped nor listed ranks below the depth of the list.
    """

    proposed: tuple[tuple[str, Rows], ...]
    ranked: Neighbours
    dropped: Mapping[int, str]


def depth_before_bounding(placement: Placement) -> int:
    """How many entries a list of the placement has before hubs are bounded."""
    reserve = WIDER * placement.shown if placement.hub_share else 0
    return max(placement.depth, reserve)


def stages_of(placement: Placement) -> tuple[str, ...]:
    """What may shorten a list, in order: the filters by name, the lowest score, the hub share."""
    named = (choice.use for choice in placement.filters)
    return (NOT_FOR_SALE, *named, SAME_TITLE, "min_score", "hub_share")


@dataclass(frozen=True, slots=True)
class Chooser:
    """Makes the neighbours of blocks of items for one placement.

    Where the placement bounds hubs, which entries are shown is decided when the lists of all items
    are known, and lists are at least four times as deep as is shown: most of what is refused are
    best sellers, of which there are thirty among the candidates.
    """

    placement: Placement
    proposals: Proposals
    scorer: Scorer
    overdraw: int
    filters: tuple[PreparedFilter, ...]
    catalogue: Catalogue
    best_sellers: BestSellers
    sold: FloatVector

    @property
    def depth(self) -> int:
        """How many entries a list has before hubs are bounded."""
        return depth_before_bounding(self.placement)

    def choose(self, rows: Rows) -> Neighbours:
        """The own entries of the list of each of the b rows (b, depth), scores in (0, 1]."""
        return self._chosen(rows)[0]

    def chosen(self, rows: Rows, scale: EvidenceScale) -> Chosen:
        """The lists of the b rows, filled up with best sellers, and what was dropped."""
        found, dropped = self._chosen(rows)
        entries = Entries(found.rows, found.scores, self.evidence(rows, found, scale))
        own = found.found.sum(axis=1)
        return Chosen(self._filled(rows, entries), own, dropped, self.sold[rows])

    def _chosen(self, rows: Rows) -> tuple[Neighbours, NDArray[np.int32]]:
        """The own entries of the b rows (b, depth), and what was dropped (b, stages).

        Where filters leave fewer than `depth`, those items are searched deeper, until the list is
        full or the catalogue is exhausted.
        """
        depth = self.depth
        chosen_rows = np.full((len(rows), depth), NONE, dtype=np.int32)
        scores = np.full((len(rows), depth), -np.inf, dtype=np.float32)
        dropped = np.zeros((len(rows), len(stages_of(self.placement))), dtype=np.int32)
        short = np.arange(len(rows))
        for k in self._searches():
            unfinished = [np.zeros(0, dtype=np.int64)]
            for block in blocks(len(short), max(1, SEARCH_ENTRIES // k)):
                places = short[block]
                chosen, dropped[places], more = self._choose(rows[places], k)
                width = chosen.rows.shape[1]
                chosen_rows[places, :width] = chosen.rows
                scores[places, :width] = chosen.scores
                unfinished.append(places[more & (chosen_rows[places, depth - 1] == NONE)])
            short = np.concatenate(unfinished)
            if not len(short):
                break
        found = Neighbours(chosen_rows, scores)
        return found.keep(found.scores >= self.placement.min_score, depth), dropped

    def trail(self, row: int) -> Trail:
        """What happened to everything that was proposed for one item."""
        rows = np.array([row], dtype=np.int32)
        names = [choice.use for choice in self.placement.candidates]
        for k in self._searches():
            ranked, more = self._ranked(rows, k)
            kept, dropped = ranked, dict[int, str]()
            for name, (before, mask) in zip(
                stages_of(self.placement), self._filter_stages(rows, ranked), strict=False
            ):
                dropped |= dict.fromkeys(before.rows[before.found & ~mask].tolist(), name)
                kept = before.keep(mask, before.rows.shape[1])
            if not more.any() or kept.found.sum() >= self.depth:
                break
        low = kept.found & (kept.scores < self.placement.min_score)
        dropped |= dict.fromkeys(kept.rows[low].tolist(), "min_score")
        proposed = [generator.propose(rows, k) for generator in self.proposals.generators]
        return Trail(
            tuple((name, one.rows[one.found]) for name, one in zip(names, proposed, strict=True)),
            ranked,
            dropped,
        )

    def evidence(self, rows: Rows, chosen: Neighbours, scale: EvidenceScale) -> NDArray[np.uint8]:
        """What supports each entry (b, k)."""
        if registry.ranker(self.placement.ranker).by_popularity:
            return np.full(chosen.rows.shape, POPULAR, dtype=np.uint8)
        return scale.codes(rows, chosen)

    def _filled(self, rows: Rows, own: Entries) -> Entries:
        """The lists (b, depth) with best sellers behind the own entries of short ones."""
        depth = self.depth
        short = np.flatnonzero(~own.found[:, depth - 1])
        if not len(short):
            return own
        listed = own[short]
        best = self.best_sellers.behind(rows[short], depth)
        joined = np.hstack([listed.rows, best])
        scores = np.full(joined.shape, LOWEST_SCORE, dtype=np.float32)
        scores[:, :depth] = listed.scores
        both = self.filtered(rows[short], Neighbours(joined, scores)).keep_first(depth)
        behind = np.arange(depth) >= listed.found.sum(axis=1, keepdims=True)
        listed.put_new(behind, rows=both.rows[behind], scores=both.scores[behind], evidence=POPULAR)
        filled = own.map(np.copy)
        filled.put(short, listed)
        return filled

    def _searches(self) -> Iterator[int]:
        """How deep is searched, deeper and deeper, at last the whole catalogue."""
        k = self.overdraw * (self.depth + 1 + (MARGIN if self.placement.filters else 0))
        while k < len(self.catalogue):
            yield k
            k *= 4
        yield len(self.catalogue)

    def _choose(
        self, rows: Rows, k: int
    ) -> tuple[Neighbours, NDArray[np.int32], NDArray[np.bool_]]:
        """Lists, what the filters dropped of each, and where more than k candidates may exist."""
        ranked, more = self._ranked(rows, k)
        kept, dropped = self._filtered(rows, ranked)
        low = kept.found & (kept.scores < self.placement.min_score)
        dropped[:, OF_MIN_SCORE] = low.sum(axis=1)
        return kept.keep_first(self.depth), dropped, more

    def _ranked(self, rows: Rows, k: int) -> tuple[Neighbours, NDArray[np.bool_]]:
        candidates, more = self.proposals.of(rows, k)
        return _once(rows, self.scorer.rank(rows, candidates)), more

    def filtered(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """The candidates that are not the item itself, each once, that pass the filters."""
        kept, _ = self._filtered(rows, _once(rows, candidates))
        return kept

    def _filtered(self, rows: Rows, candidates: Neighbours) -> tuple[Neighbours, NDArray[np.int32]]:
        """The candidates that pass, and what filters dropped (b, stages), as `Chosen` has it."""
        kept = candidates
        dropped = np.zeros((len(rows), len(stages_of(self.placement))), dtype=np.int32)
        for stage, (before, mask) in enumerate(self._filter_stages(rows, candidates)):
            gone = before.found & ~mask
            if stage == dropped.shape[1] + OF_TITLES:
                listed = mask & (before.scores >= self.placement.min_score)
                gone &= np.cumsum(listed, axis=1) < self.depth
            dropped[:, stage] = gone.sum(axis=1)
            kept = before.keep(mask, before.rows.shape[1])
        return kept, dropped

    def _filter_stages(
        self, rows: Rows, candidates: Neighbours
    ) -> Iterator[tuple[Neighbours, NDArray[np.bool_]]]:
        """What reaches each filter, and which of it stays (b, k)."""
        for prepared in self.filters:
            mask = prepared.keep(rows, candidates)
            yield candidates, mask
            candidates = candidates.keep(mask, candidates.rows.shape[1])


def _once(rows: Rows, candidates: Neighbours) -> Neighbours:
    """The candidates that are not the item itself, each once."""
    once = first_of_each(candidates.rows) & (candidates.rows != rows[:, None])
    return candidates.keep(once, candidates.rows.shape[1])


def propose(placement: Placement, context: RankingContext, index: VectorIndex) -> Proposals:
    """Make a placement's candidate sources ready."""
    sources = [registry.candidate_generator(choice) for choice in placement.candidates]
    return Proposals(tuple(source.prepare(context, index) for source in sources))


def prepare(
    placement: Placement, context: RankingContext, index: VectorIndex, ranker: FittedRanker
) -> Chooser:
    """Make everything ready that a placement's lists are chosen with."""
    catalogue = context.catalogue
    sold = support(context.interactions.matrix()).astype(np.float32)
    return Chooser(
        placement=placement,
        proposals=propose(placement, context, index),
        scorer=ranker.prepare(context),
        overdraw=OVERDRAW if registry.ranker(placement.ranker).learns else 1,
        filters=filters_of(placement, context),
        catalogue=catalogue,
        best_sellers=BestSellers.of(catalogue, sold, np.ones(len(catalogue), dtype=bool)),
        sold=sold,
    )


def choose_rows(
    chooser: Chooser, scale: EvidenceScale, rows: range, advance: Advance
) -> Iterator[Chosen]:
    """The lists of some items that follow each other, block by block."""
    for block in blocks(len(rows), BLOCK):
        asked = np.arange(rows[block.start], rows[block.start] + block.stop - block.start)
        yield chooser.chosen(asked.astype(np.int32), scale)
        advance(len(asked))
