"""Candidates that were bought or seen together most often."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recommender.arrays import Rows
from recommender.interactions import Interactions, Unit
from recommender.neighbours import NONE, Neighbours
from recommender.protocols import VectorIndex
from recommender.vectors import ItemVectors


@dataclass(frozen=True, slots=True)
class CoOccurrence:
    """Items that share the most units with the asking item; `auto` by the finest unit given."""

    unit: Unit = "auto"

    def prepare(
        self, vectors: ItemVectors, index: VectorIndex, interactions: Interactions
    ) -> "CoOccurrenceProposer":
        """Lay out which units hold which items."""
        seen = interactions.matrix(self.unit)
        seen.data = np.ones_like(seen.data)
        return CoOccurrenceProposer(vectors, seen, seen.T.tocsr())


@dataclass(frozen=True, slots=True)
class CoOccurrenceProposer:
    """Units by items (u, n) and items by units (n, u) of one build."""

    vectors: ItemVectors
    units_by_items: sp.csr_array
    items_by_units: sp.csr_array

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """The k items most often together with each of the b rows, equal counts by row."""
        counts = (self.items_by_units[rows] @ self.units_by_items).tocsr()
        proposed = np.full((len(rows), k), NONE, dtype=np.int32)
        for place in range(len(rows)):
            start, end = counts.indptr[place], counts.indptr[place + 1]
            found, times = counts.indices[start:end], counts.data[start:end]
            best = found[np.lexsort((found, -times))[:k]]
            proposed[place, : len(best)] = best
        queries = self.vectors.queries[rows]
        scores = np.einsum("bd,bkd->bk", queries, self.vectors.targets[proposed])
        return Neighbours.ordered(proposed, scores)
