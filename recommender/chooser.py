"""Chooser: candidates, ranked and ruled, for blocks of items."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.arrays import Rows, blocks, first_of_each
from recommender.basis import Basis
from recommender.best_sellers import BestSellers
from recommender.catalogue import Catalogue
from recommender.evidence import EvidenceScale
from recommender.neighbours import NONE, Neighbours
from recommender.progress import Advance, Progress
from recommender.protocols import FittedRanker, Order, Proposer, Rule, VectorIndex
from recommender.recipe import Placement
from recommender.related import EVIDENCE

BLOCK = 4096
MARGIN = 12
OVERDRAW = 2
SEARCH_ENTRIES = 40_000_000
LOWEST_SCORE = 1e-6
POPULAR = np.uint8(EVIDENCE.index("popular"))


@dataclass(frozen=True, slots=True)
class Proposals:
    """Everything that proposes candidates for one placement."""

    proposers: tuple[Proposer, ...]

    def of(self, rows: Rows, k: int) -> tuple[Neighbours, NDArray[np.bool_]]:
        """At most k candidates from each proposer for the b rows, each once and not the row itself.

        Also where more candidates may exist (b,).
        """
        proposals = [proposer.propose(rows, k) for proposer in self.proposers]
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
class Chooser:
    """Makes the neighbours of blocks of items for one placement."""

    placement: Placement
    proposals: Proposals
    order: Order
    overdraw: int
    rules: tuple[Rule, ...]
    catalogue: Catalogue
    best_sellers: BestSellers

    def choose(self, rows: Rows) -> Neighbours:
        """The list of each of the b rows (b, depth), scores in (0, 1].

        Where rules leave fewer than `depth`, those items are searched deeper, until the list is
        full or the catalogue is exhausted.
        """
        depth = self.placement.depth
        chosen_rows = np.full((len(rows), depth), NONE, dtype=np.int32)
        scores = np.full((len(rows), depth), -np.inf, dtype=np.float32)
        short = np.arange(len(rows))
        k = self.overdraw * (depth + 1 + (MARGIN if self.rules else 0))
        while len(short):
            exhausted = k >= len(self.catalogue)
            unfinished = []
            for block in blocks(len(short), max(1, SEARCH_ENTRIES // k)):
                places = short[block]
                chosen, more = self._choose(rows[places], min(k, len(self.catalogue)))
                width = chosen.rows.shape[1]
                chosen_rows[places, :width] = chosen.rows
                scores[places, :width] = chosen.scores
                unfinished.append(places[more & (chosen_rows[places, depth - 1] == NONE)])
            if exhausted:
                break
            short = np.concatenate(unfinished)
            k *= 4
        return self._published(Neighbours(chosen_rows, scores))

    def filled(
        self, rows: Rows, chosen: Neighbours, codes: NDArray[np.uint8]
    ) -> tuple[Neighbours, NDArray[np.uint8]]:
        """The lists with best sellers behind those that are short, and the evidence of both."""
        depth = self.placement.depth
        short = np.flatnonzero(~chosen.found[:, depth - 1])
        if not len(short):
            return chosen, codes
        beside = self.best_sellers.beside(rows[short], self.catalogue, depth)
        joined = np.hstack([chosen.rows[short], beside])
        scores = np.full(joined.shape, LOWEST_SCORE, dtype=np.float32)
        scores[:, :depth] = chosen.scores[short]
        both = self.ruled(rows[short], Neighbours(joined, scores)).keep_first(depth)
        filled_rows, filled_scores, filled_codes = (
            chosen.rows.copy(),
            chosen.scores.copy(),
            codes.copy(),
        )
        filled_rows[short], filled_scores[short] = both.rows, both.scores
        own = chosen.found[short].sum(axis=1, keepdims=True)
        behind = np.arange(depth) >= own
        filled_codes[short] = np.where(behind, POPULAR, codes[short])
        return Neighbours(filled_rows, filled_scores), filled_codes

    def _choose(self, rows: Rows, k: int) -> tuple[Neighbours, NDArray[np.bool_]]:
        """The list of each row, and where more candidates than k may exist (b,)."""
        candidates, more = self.proposals.of(rows, k)
        ranked = self.order.rank(rows, candidates)
        return self.ruled(rows, ranked).keep_first(self.placement.depth), more

    def ruled(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """The candidates that are not the item itself, stand once, and pass the rules."""
        width = candidates.rows.shape[1]
        once = first_of_each(candidates.rows) & (candidates.rows != rows[:, None])
        kept = candidates.keep(once, width)
        for rule in self.rules:
            kept = kept.keep(rule.keep(rows, kept, self.catalogue), width)
        return kept

    def _published(self, chosen: Neighbours) -> Neighbours:
        """What reaches the placement's lowest score."""
        return chosen.keep(chosen.scores >= self.placement.min_score, self.placement.depth)


def propose(placement: Placement, basis: Basis, index: VectorIndex) -> Proposals:
    """Make a placement's candidate sources ready."""
    sources = [registry.candidate_source(choice) for choice in placement.candidates]
    return Proposals(tuple(source.prepare(basis, index) for source in sources))


def prepare(
    placement: Placement, basis: Basis, index: VectorIndex, ranker: FittedRanker
) -> Chooser:
    """Make everything ready that a placement's lists are chosen with."""
    return Chooser(
        placement=placement,
        proposals=propose(placement, basis, index),
        order=ranker.prepare(basis),
        overdraw=OVERDRAW if registry.ranker(placement.ranker).learns else 1,
        rules=tuple(registry.rule(choice) for choice in placement.rules),
        catalogue=basis.catalogue,
        best_sellers=BestSellers.of(basis.catalogue, basis.interactions),
    )


def choose_all(
    chooser: Chooser, scale: EvidenceScale, progress: Progress
) -> Iterator[tuple[Neighbours, NDArray[np.uint8]]]:
    """The lists of all items, block by block in row order, with the evidence of each entry."""
    total = len(chooser.catalogue)
    with progress(f"search and choose {chooser.placement.name}", total) as advance:
        yield from choose_rows(chooser, scale, range(total), advance)


def choose_rows(
    chooser: Chooser, scale: EvidenceScale, rows: range, advance: Advance
) -> Iterator[tuple[Neighbours, NDArray[np.uint8]]]:
    """The lists of some items that follow each other, block by block, as `choose_all`."""
    for block in blocks(len(rows), BLOCK):
        asked = np.arange(rows[block.start], rows[block.start] + block.stop - block.start)
        asked = asked.astype(np.int32)
        chosen = chooser.choose(asked)
        yield chooser.filled(asked, chosen, scale.codes(asked, chosen))
        advance(len(asked))
