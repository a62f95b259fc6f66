"""Co-occurrence: how often items share a unit, large and old units counting less."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, Rows
from recommender.core.interactions import DAY_S, Interactions, Unit
from recommender.core.neighbours import NONE, Neighbours

LARGEST_UNIT = 100
PRIOR = 0.1
TRUSTED_AT = 10.0
NEARNESS = 0.1


@dataclass(frozen=True, slots=True)
class Units:
    """Ones (u, n) where a unit has an item, the age of each unit in days and its user (u,)."""

    seen: sp.csr_array
    age: NDArray[np.float64]
    owners: Rows

    @classmethod
    def of(cls, interactions: Interactions, unit: Unit = "auto", seed: int = 0) -> "Units":
        """Gather the units; of those with more than 100 items, a seeded sample of 100 counts.

        A unit of unknown time is as old as the average one.
        """
        age = _age_days(interactions.unit_times(unit), interactions.newest)
        return cls(_sampled(interactions.matrix(unit), seed), age, interactions.owners(unit))


@dataclass(frozen=True, slots=True)
class CoOccurrence:
    """Rates of items given an item, computed for blocks of rows; n by n counts are never held.

    `units` (u, n) holds ones; a unit of s items weighs 2^(-age / half-life) / sqrt(s - 1), so that
    a large basket says less of each of its pairs. `by_item` (n, u) holds those weights; `strength`
    (n,) are its row sums, `prior` a tenth of their mean, by which rates of rare items are shrunk.

    Pairs that fewer than `users_min` distinct users had in one unit do not count; `owners` (u,)
    identify users; a unit without a user counts as a user of its own.
    """

    units: sp.csr_array
    by_item: sp.csr_array
    strength: FloatVector
    prior: float
    owners: Rows
    users_min: int = 1
    half_life_days: float = np.inf

    @classmethod
    def of(
        cls,
        interactions: Interactions,
        unit: Unit = "auto",
        half_life_days: float = np.inf,
        seed: int = 0,
        users_min: int = 1,
    ) -> "CoOccurrence":
        """Gather the units and weigh them."""
        return cls.weighed(Units.of(interactions, unit, seed), half_life_days, users_min)

    @classmethod
    def weighed(cls, units: Units, half_life_days: float, users_min: int = 1) -> "CoOccurrence":
        """Weigh the units by size and age."""
        others = np.maximum(np.diff(units.seen.indptr) - 1, 1)
        weight = (0.5 ** (units.age / half_life_days) / np.sqrt(others)).astype(np.float32)
        by_item = (sp.diags_array(weight) @ units.seen).T.tocsr()
        strength = np.asarray(by_item.sum(axis=1), dtype=np.float32)
        sold = strength[strength > 0]
        prior = PRIOR * float(sold.mean()) if len(sold) else 1.0
        return cls(units.seen, by_item, strength, prior, units.owners, users_min, half_life_days)

    def rates(self, rows: Rows) -> sp.csr_array:
        """The weighted share of each row's units that holds each item (b, n), not itself."""
        counts = self._shared(rows)
        asking = np.repeat(np.arange(len(rows)), np.diff(counts.indptr))
        counts.data /= (self.strength[rows] + self.prior)[asking]
        counts.data[counts.indices == rows[asking]] = 0
        return _positive(counts)

    def users(self, rows: Rows) -> sp.csr_array:
        """How many distinct users had each item in one unit with each row's item (b, n)."""
        held = self.by_item[rows].tocoo()
        pairs = held.row.astype(np.int64) * (int(self.owners.max(initial=0)) + 1)
        distinct, numbers = np.unique(pairs + self.owners[held.col], return_inverse=True)
        ones = np.ones(len(numbers), dtype=np.float32)
        shape = (len(distinct), self.units.shape[0])
        of_user = sp.csr_array((ones, (numbers, held.col)), shape=shape) @ self.units
        of_user.data[:] = 1
        asking = np.zeros(len(distinct), dtype=np.int64)
        asking[numbers] = held.row
        ones = np.ones(len(distinct), dtype=np.float32)
        rows_of = sp.csr_array(
            (ones, (asking, np.arange(len(distinct)))), (len(rows), len(distinct))
        )
        users: sp.csr_array = (rows_of @ of_user).tocsr()
        return users

    def counts(self, rows: Rows) -> sp.csr_array:
        """The weight of the units that each row shares with each item (b, n), not itself."""
        counts = self._shared(rows)
        asking = np.repeat(np.arange(len(rows)), np.diff(counts.indptr))
        counts.data[counts.indices == rows[asking]] = 0
        return _positive(counts)

    @property
    def support(self) -> FloatVector:
        """In how many units each item stands (n,)."""
        return np.diff(self.by_item.indptr).astype(np.float32)

    def borrowed(self, near: Neighbours, rows: Rows, width: int) -> sp.csr_array:
        """What each row's `width` nearest items by text are sold with (b, n).

        Their rates, mixed by nearness and by how much stands behind them: so an item without
        events has rates as well.
        """
        shares = self._shares(near.rows[rows, :width], near.scores[rows, :width])
        if self.users_min > 1:
            kin = np.unique(shares.indices).astype(np.int32)
            return _positive(shares[:, kin] @ self.rates(kin))
        kept = np.float32(1) / (self.strength + np.float32(self.prior))
        mixed = shares @ sp.diags_array(kept)
        counts = (mixed @ self.by_item) @ self.units
        return _positive((counts - mixed @ sp.diags_array(self.strength)).tocsr())

    def _shared(self, rows: Rows) -> sp.csr_array:
        """The weight of the units that each row shares with each item, itself too (b, n)."""
        counts: sp.csr_array = (self.by_item[rows] @ self.units).tocsr()
        if self.users_min > 1:
            counts = counts.multiply(self.users(rows) >= self.users_min).tocsr()
        return counts

    def _shares(self, found: Rows, cosines: FloatMatrix) -> sp.csr_array:
        trust = self.support / (self.support + TRUSTED_AT)
        nearness = np.exp((np.minimum(cosines, 1) - 1) / NEARNESS)
        weights = np.where(found == NONE, 0, nearness * trust[found])
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        asking = np.broadcast_to(np.arange(len(found))[:, None], found.shape)
        kept = weights > 0
        shape = (len(found), len(self.strength))
        return sp.csr_array(
            (weights[kept].astype(np.float32), (asking[kept], found[kept])), shape=shape
        )


def strongest(rates: sp.csr_array, k: int) -> Rows:
    """The columns of the k largest entries of each row (b, k), equal ones by column."""
    found = np.full((rates.shape[0], k), NONE, dtype=np.int32)
    for row, (start, end) in enumerate(pairwise(rates.indptr.tolist())):
        columns, values = rates.indices[start:end], rates.data[start:end]
        if end - start > k:
            kept = np.flatnonzero(values >= np.partition(values, -k)[-k])
            columns, values = columns[kept], values[kept]
        best = columns[np.lexsort((columns, -values))[:k]]
        found[row, : len(best)] = best
    return found


def values_at(rates: sp.csr_array, asking: Rows, columns: Rows) -> FloatVector:
    """The entries (m,) at the rows `asking` and `columns` (m,), 0 where there is none."""
    if not rates.nnz:
        return np.zeros(len(asking), dtype=np.float32)
    width = np.int64(rates.shape[1])
    owners = np.repeat(np.arange(rates.shape[0], dtype=np.int64), np.diff(rates.indptr))
    places = owners * width + rates.indices
    wanted = asking * width + columns
    at = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
    return np.where(places[at] == wanted, rates.data[at], np.float32(0))


def _positive(matrix: sp.csr_array) -> sp.csr_array:
    """The entries that are not zero but for rounding, in sorted columns."""
    matrix = matrix.tocsr().astype(np.float32)
    matrix.data[matrix.data < 1e-7] = 0
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _sampled(seen: sp.csr_array, seed: int) -> sp.csr_array:
    """Ones where a unit has an item; at most `LARGEST_UNIT` of each unit."""
    sizes = np.diff(seen.indptr)
    if sizes.max(initial=0) <= LARGEST_UNIT:
        ones = np.ones(len(seen.indices), dtype=np.float32)
        return sp.csr_array((ones, seen.indices, seen.indptr), shape=seen.shape)
    units = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((np.random.default_rng(seed).random(len(units)), units))
    place = np.arange(len(units)) - seen.indptr[:-1][units]
    kept = np.sort(order[place < LARGEST_UNIT])
    ones = np.ones(len(kept), dtype=np.float32)
    return sp.csr_array((ones, (units[kept], seen.indices[kept])), shape=seen.shape)


FLOOR = 0.5


@dataclass(frozen=True, slots=True)
class WeightedUnits:
    """Units of at least two items, `seen` (u, n), with the weight (u,) of each.

    `item_weight` (n,) sums the weights of the units of an item; `pair_mass` says how strongly
    items co-occur: the weighted mean number of other items in a unit.
    """

    seen: sp.csr_array
    weight: FloatVector

    @classmethod
    def of(
        cls, interactions: Interactions, unit: Unit, half_life_days: float, size_power: float
    ) -> "WeightedUnits":
        """Weigh by 1/(size - 1)^size_power, and half for every half-life of age.

        A half-life of 0 or inf is none. Age counts from the newest event; a unit of unknown time is
        as old as the average one.
        """
        seen = interactions.matrix(unit)
        others = np.diff(seen.indptr) - 1
        weight = np.maximum(others, 1).astype(np.float64) ** -size_power
        if half_life_days and np.isfinite(half_life_days):
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
        """The weighted mean number of other items in the units of an item."""
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
