"""Chooser: candidates, ranked and ruled, for blocks of items."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.arrays import Rows, blocks, first_of_each
from recommender.best_sellers import BestSellers
from recommender.catalogue import Catalogue
from recommender.evidence import EvidenceScale
from recommender.interactions import Interactions
from recommender.neighbours import NONE, Neighbours
from recommender.progress import Advance, Progress
from recommender.protocols import Proposer, Ranker, Rule, VectorIndex
from recommender.recipe import Choice, Placement
from recommender.related import EVIDENCE
from recommender.vectors import ItemVectors

BLOCK = 4096
MARGIN = 12
SEARCH_ENTRIES = 40_000_000
LOWEST_SCORE = 1e-6
POPULAR = np.uint8(EVIDENCE.index("popular"))


@dataclass(frozen=True, slots=True)
class Chooser:
    """Makes the neighbours of blocks of items for one placement."""

    placement: Placement
    proposers: tuple[Proposer, ...]
    ranker: Ranker
    rules: tuple[Rule, ...]
    catalogue: Catalogue
    best_sellers: BestSellers
    bound: float

    def choose(self, rows: Rows) -> Neighbours:
        """The list of each of the b rows (b, depth), scores in (0, 1].

        Where rules leave fewer than `depth`, those items are searched deeper, until the list is
        full or the catalogue is exhausted.
        """
        depth = self.placement.depth
        chosen_rows = np.full((len(rows), depth), NONE, dtype=np.int32)
        scores = np.full((len(rows), depth), -np.inf, dtype=np.float32)
        short = np.arange(len(rows))
        k = depth + 1 + (MARGIN if self.rules else 0)
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
        both = self._ruled(rows[short], Neighbours(joined, scores)).keep_first(depth)
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
        proposals = [proposer.propose(rows, k) for proposer in self.proposers]
        more = np.any([proposal.found[:, -1] for proposal in proposals], axis=0)
        candidates = self.ranker.rank(rows, _united(proposals))
        return self._ruled(rows, candidates).keep_first(self.placement.depth), more

    def _ruled(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """The candidates that are not the item itself, stand once, and pass the rules."""
        width = candidates.rows.shape[1]
        once = first_of_each(candidates.rows) & (candidates.rows != rows[:, None])
        kept = candidates.keep(once, width)
        for rule in self.rules:
            kept = kept.keep(rule.keep(rows, kept, self.catalogue), width)
        return kept

    def _published(self, chosen: Neighbours) -> Neighbours:
        """Scores as published: divided by the bound, the lowest just above 0."""
        scores = np.clip(chosen.scores / np.float32(self.bound), LOWEST_SCORE, 1)
        mapped = Neighbours(chosen.rows, scores.astype(np.float32))
        return mapped.keep(mapped.scores >= self.placement.min_score, self.placement.depth)


def prepare(
    index: Choice | VectorIndex,
    placement: Placement,
    vectors: ItemVectors,
    catalogue: Catalogue,
    interactions: Interactions,
) -> Chooser:
    """What a placement's lists are chosen with, the index built unless it is given."""
    built = (
        registry.index_builder(index).build(vectors.targets) if isinstance(index, Choice) else index
    )
    sources = [registry.candidate_source(choice) for choice in placement.candidates]
    return Chooser(
        placement=placement,
        proposers=tuple(source.prepare(vectors, built, interactions) for source in sources),
        ranker=registry.ranker(placement.ranker),
        rules=tuple(registry.rule(choice) for choice in placement.rules),
        catalogue=catalogue,
        best_sellers=BestSellers.of(catalogue, interactions),
        bound=vectors.bound,
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


def _united(proposals: list[Neighbours]) -> Neighbours:
    """Proposals side by side, best first; an item may stand there more than once."""
    if len(proposals) == 1:
        return proposals[0]
    return Neighbours.ordered(
        np.hstack([proposal.rows for proposal in proposals]),
        np.hstack([proposal.scores for proposal in proposals]),
    )
