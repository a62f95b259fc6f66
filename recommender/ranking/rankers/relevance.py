"""Relevance: what was bought or seen with an item after a time."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.co_occurrence import LARGEST_UNIT, values_at
from recommender.core.interactions import Interactions
from recommender.core.neighbours import NONE, Neighbours

ASKED_PER_UNIT = 5
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Relevance:
    """How much a list gains from an item, by asking item (n, n), sparse.

    Each unit of s items asks with each of them, at most `ASKED_PER_UNIT` times in all, and each
    of its other items gains one part of the ideal list's discounted gain. The order that gains most
    on average is that of the mean: so no unit, however large, says more than another.
    """

    gains: sp.csr_array
    times_asked: NDArray[np.float64]

    @classmethod
    def of(cls, later: Interactions) -> "Relevance":
        """Count the units of 2 to 100 items."""
        units = later.matrix()
        sizes = np.diff(units.indptr)
        units = units[np.flatnonzero((sizes >= 2) & (sizes <= LARGEST_UNIT))]
        units.data = np.ones_like(units.data)
        sizes = np.diff(units.indptr)
        asks = np.minimum(1, ASKED_PER_UNIT / np.maximum(sizes, 1))
        discounts = np.concatenate([[1.0], np.cumsum(1 / np.log2(np.arange(2, SHOWN + 2)))])
        ideal = discounts[np.minimum(np.maximum(sizes - 1, 1), SHOWN)]
        gains = (units.T @ sp.diags_array(asks / ideal) @ units).tocsr()
        gains.sort_indices()
        return cls(gains, np.asarray(units.T @ asks))

    def drawn(self, rows: Rows, size: int, seed: int) -> Rows:
        """At most `size` of the rows that ask, those that ask often rather."""
        asking = rows[self.times_asked[rows] > 0]
        if len(asking) <= size:
            return asking
        weights = np.sqrt(self.times_asked[asking])
        rng = np.random.default_rng(seed)
        return np.sort(rng.choice(asking, size, replace=False, p=weights / weights.sum()))

    def grades(self, rows: Rows, candidates: Neighbours) -> NDArray[np.float64]:
        """The mean gain (b, k) of each candidate when its row asks."""
        asking = np.repeat(np.arange(len(rows), dtype=np.int32), candidates.rows.shape[1])
        gains = values_at(self.gains[rows], asking, candidates.rows.ravel())
        grades = gains.reshape(candidates.rows.shape) / self.times_asked[rows][:, None]
        return np.where(candidates.rows == NONE, 0, grades)
