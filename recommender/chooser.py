"""Chooser: candidates, ranked and ruled, for blocks of items."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.arrays import Rows, blocks, first_of_each
from recommender.catalogue import Catalogue
from recommender.evidence import EvidenceScale
from recommender.interactions import Interactions
from recommender.neighbours import NONE, Neighbours
from recommender.progress import Progress
from recommender.protocols import Proposer, Ranker, Rule
from recommender.recipe import Choice, Placement
from recommender.vectors import ItemVectors

BLOCK = 4096
MARGIN = 12
SEARCH_ENTRIES = 40_000_000
LOWEST_SCORE = 1e-6


@dataclass(frozen=True, slots=True)
class Chooser:
    """Makes the neighbours of blocks of items for one placement."""

    placement: Placement
    proposers: tuple[Proposer, ...]
    ranker: Ranker
    rules: tuple[Rule, ...]
    catalogue: Catalogue
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
            for block in blocks(len(short), max(1, SEARCH_ENTRIES // k)):
                places = short[block]
                chosen = self._choose(rows[places], min(k, len(self.catalogue)))
                width = chosen.rows.shape[1]
                chosen_rows[places, :width] = chosen.rows
                scores[places, :width] = chosen.scores
            if exhausted:
                break
            short = short[chosen_rows[short, depth - 1] == NONE]
            k *= 4
        return self._published(Neighbours(chosen_rows, scores))

    def _choose(self, rows: Rows, k: int) -> Neighbours:
        proposals = [proposer.propose(rows, k) for proposer in self.proposers]
        united = _united(proposals)
        candidates = united.keep(united.rows != rows[:, None], united.rows.shape[1])
        candidates = self.ranker.rank(rows, candidates)
        for rule in self.rules:
            kept = rule.keep(rows, candidates, self.catalogue)
            candidates = candidates.keep(kept, candidates.rows.shape[1])
        return candidates.keep(candidates.found, self.placement.depth)

    def _published(self, chosen: Neighbours) -> Neighbours:
        """Scores as published: divided by the bound, the lowest just above 0."""
        scores = np.clip(chosen.scores / np.float32(self.bound), LOWEST_SCORE, 1)
        mapped = Neighbours(chosen.rows, scores.astype(np.float32))
        return mapped.keep(mapped.scores >= self.placement.min_score, self.placement.depth)


def prepare(
    index: Choice,
    placement: Placement,
    vectors: ItemVectors,
    catalogue: Catalogue,
    interactions: Interactions,
) -> Chooser:
    """Build the index and everything else that a placement's lists are chosen with."""
    built = registry.index_builder(index).build(vectors.targets)
    sources = [registry.candidate_source(choice) for choice in placement.candidates]
    return Chooser(
        placement=placement,
        proposers=tuple(source.prepare(vectors, built, interactions) for source in sources),
        ranker=registry.ranker(placement.ranker),
        rules=tuple(registry.rule(choice) for choice in placement.rules),
        catalogue=catalogue,
        bound=vectors.bound,
    )


def choose_all(
    chooser: Chooser, scale: EvidenceScale, progress: Progress
) -> Iterator[tuple[Neighbours, NDArray[np.uint8]]]:
    """The lists of all items, block by block in row order, with the evidence of each entry."""
    total = len(chooser.catalogue)
    with progress(f"search and choose {chooser.placement.name}", total) as advance:
        for block in blocks(total, BLOCK):
            rows = np.arange(block.start, block.stop, dtype=np.int32)
            chosen = chooser.choose(rows)
            yield chosen, scale.codes(rows, chosen)
            advance(len(rows))


def _united(proposals: list[Neighbours]) -> Neighbours:
    """Proposals side by side, each item once per query."""
    if len(proposals) == 1:
        return proposals[0]
    joined = Neighbours.ordered(
        np.hstack([proposal.rows for proposal in proposals]),
        np.hstack([proposal.scores for proposal in proposals]),
    )
    return joined.keep(first_of_each(joined.rows), joined.rows.shape[1])
