"""The teacher: the plain gate and counting together, better than either, but no vectors."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import FloatMatrix, FloatVector, Rows
from recommender.core.co_occurrence import WeightedUnits
from recommender.core.interactions import Interactions

BEHAVIOUR_SHARE, HALF_SUPPORT = 0.75, 3.0
COUNTS, TRUSTED_AT = 2.0, 10.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Weighted co-occurrence, computed for blocks: n by n counts are never held.

    `by_item` (n, u) and `by_unit` (u, n) hold the root of each unit's weight, `total` (n,) the sum
    of an item's counts with all others, `trust` (n,) how far they are believed, from 0 to 1.
    """

    by_item: sp.csr_array
    by_unit: sp.csc_array
    total: FloatVector
    trust: FloatVector

    @classmethod
    def of(cls, interactions: Interactions, half_life_days: float) -> "Counts":
        """Count, with units weighed by size and age."""
        units = WeightedUnits.of(interactions, "auto", half_life_days, 0.5)
        seen = units.seen.copy()
        seen.data = np.ones_like(seen.data)
        scaled = sp.csr_array(sp.diags_array(np.sqrt(units.weight)) @ seen).astype(np.float32)
        others = np.diff(seen.indptr) - 1
        support = np.bincount(seen.indices, minlength=seen.shape[1])
        return cls(
            by_item=sp.csr_array(scaled.T),
            by_unit=sp.csc_array(scaled),
            total=np.asarray(seen.T @ (units.weight * others), dtype=np.float32),
            trust=(support / (support + TRUSTED_AT)).astype(np.float32),
        )

    def strength(self, rows: Rows, columns: Rows) -> FloatMatrix:
        """Root of the share of `columns` (k,) in what goes with each of `rows` (b, k)."""
        counts = (self.by_item[rows] @ self.by_unit[:, columns]).toarray()
        scale = self.trust[rows] / np.maximum(self.total[rows], 1e-9)
        strength: FloatMatrix = COUNTS * np.sqrt(counts * scale[:, None])
        return strength
