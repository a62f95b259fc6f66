"""Baskets, sessions or users, each with the weight of what it says."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector
from recommender.core.interactions import Interactions, Unit

DAY_S = 86_400
FLOOR = 0.5


@dataclass(frozen=True, slots=True)
class WeightedUnits:
    """Units of at least two items, `seen` (u, n), with the weight (u,) of each.

    `item_weight` (n,) sums the weights of the units of an item; `pair_mass` says how strongly
    items co-occur: the mean number of others beside an item, by weight.
    """

    seen: sp.csr_array
    weight: FloatVector

    @classmethod
    def of(
        cls, interactions: Interactions, unit: Unit, half_life_days: float, size_power: float
    ) -> "WeightedUnits":
        """Weigh by 1/(size - 1)^size_power, and half for every half-life of age (0: no decay).

        Age counts from the newest event; a unit of unknown time is as old as the average one.
        """
        seen = interactions.matrix(unit)
        others = np.diff(seen.indptr) - 1
        weight = np.maximum(others, 1).astype(np.float64) ** -size_power
        if half_life_days:
            times = interactions.unit_times(unit)
            weight *= 0.5 ** (_age_days(times, interactions.newest) / half_life_days)
        said = others > 0
        return cls(seen[said], weight[said].astype(np.float32))

    @property
    def item_weight(self) -> NDArray[np.float64]:
        """Sum of the weights of an item's units (n,)."""
        strength = self.seen.astype(np.float64)
        return np.asarray(strength.multiply(strength).T @ self.weight, dtype=np.float64)

    @property
    def pair_mass(self) -> float:
        """The mean number of other items beside an item, by weight."""
        sizes = np.diff(self.seen.indptr)
        lines = float(self.weight @ sizes)
        return float(self.weight @ (sizes * (sizes - 1.0))) / lines if lines else 0.0

    def normalised(self, shrinkage: float) -> sp.csr_array:
        """Units by items, scaled by the root of the unit's weight over the item's weight.

        Every item's weight is raised by that of `shrinkage` average lines.
        """
        summed = self.item_weight
        lines = max(self.seen.nnz, 1)
        raised = summed + shrinkage * summed.sum() / lines
        scale = np.divide(1, np.sqrt(raised), out=np.zeros_like(summed), where=summed > 0)
        scaled = (
            sp.diags_array(np.sqrt(self.weight))
            @ self.seen.astype(np.float64)
            @ sp.diags_array(scale)
        )
        return sp.csr_array(scaled).astype(np.float32)


def popularity_lengths(weight: NDArray[np.float64], power: float) -> FloatVector:
    """Lengths of targets (n,): (weight / largest weight)^power; the rarer half as its most common.

    How rare a rare item is says little of what it will be.
    """
    known = weight[weight > 0]
    if not len(known):
        return np.zeros(len(weight), dtype=np.float32)
    floor = np.quantile(known, FLOOR)
    lengths: FloatVector = ((np.maximum(weight, floor) / known.max()) ** power).astype(np.float32)
    return lengths


def _age_days(times: NDArray[np.int64], newest: int) -> NDArray[np.float64]:
    age = (newest - times) / DAY_S
    known = times > 0
    return np.where(known, age, age[known].mean() if known.any() else 0.0)
