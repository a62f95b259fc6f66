"""Half-lives: how fast co-occurrence grows old, learned from a shop's own events."""

import logging
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.co_occurrence import LARGEST_UNIT, Units
from recommender.core.interactions import Interactions, Unit
from recommender.errors import ConfigError

HalfLife = float | Literal["auto"]
"""Days in which the weight of an event halves; 0 or inf: no decay; `auto`: what predicts best."""

CHOICES = (7.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0)
LATER_SHARE = 0.2
PAIRS = 5_000
SURE, LEAST_GAIN = 2.0, 0.005
"""What a decay has to gain on none: standard errors, and the logarithm of a chance."""
SEED = 0

_logger = logging.getLogger(__name__)


def require_half_life(value: HalfLife, who: str) -> None:
    """Raises: ConfigError where a half-life is neither a number from 0 on nor `auto`."""
    if value != "auto" and not (isinstance(value, int | float) and value >= 0):
        raise ConfigError(
            f"{who}: half_life_days = {value!r} is neither 'auto' nor a number from 0 on"
        )


def days_in(value: HalfLife, interactions: Interactions, unit: Unit = "auto") -> float:
    """The half-life in days, inf for no decay; `auto` is learned from the interactions."""
    if value == "auto":
        return learned_half_life(Units.of(interactions, unit))
    return float(value) or np.inf


def learned_half_life(units: Units) -> float:
    """The half-life, or inf, at which earlier units predict pairs of the latest fifth best.

    The chance of item j in a unit with i is (n_i r_ij + share_j) / (n_i + 1), where r_ij is the
    part of j in the earlier pairs of i, by the weight of their units at that half-life, n_i the
    number of these pairs and share_j that of the item in all events. So a half-life is chosen by
    what is said of pairs, not of best sellers. The choice maximises the mean logarithm of the
    chance of a sample of later pairs, and has to gain on no decay; choices longer than the shop's
    history are not tried.
    """
    sizes = np.diff(units.seen.indptr)
    paired = np.flatnonzero((sizes >= 2) & (sizes <= LARGEST_UNIT))
    age = units.age[paired]
    cut = float(np.quantile(age, LATER_SHARE)) if len(age) else 0.0
    later, earlier = paired[age < cut], paired[age >= cut]
    if not len(later) or not len(earlier):
        return np.inf
    seeds, answers = _pairs(units.seen, later)
    seen = units.seen[earlier]
    old = units.age[earlier] - cut
    others = np.diff(seen.indptr) - 1.0
    shared, at = _shared(seen, seeds, answers)
    lines = np.asarray(seen.sum(axis=0)) + 1e-9
    share = (lines / lines.sum())[answers]
    n_pairs = np.asarray(seen.T @ others)[seeds]
    chosen, best, without = np.inf, LEAST_GAIN, np.zeros(0)
    for days in (np.inf, *(days for days in CHOICES if days < old.max())):
        weight = 0.5 ** (old / days) / np.sqrt(others)
        counts = np.bincount(at, weight[shared], minlength=len(seeds))
        sums = np.asarray(seen.T @ (weight * others))[seeds]
        part = np.divide(counts, sums, out=np.zeros(len(seeds)), where=sums > 0)
        likelihood = np.log((n_pairs * part + share) / (n_pairs + 1))
        if np.isinf(days):
            without = likelihood
            continue
        gained = likelihood - without
        if gained.mean() > max(best, SURE * gained.std() / np.sqrt(PAIRS)):
            chosen, best = days, float(gained.mean())
    _logger.info(
        "half-life of %s days, by which %d earlier units predict %d later ones best",
        "no" if np.isinf(chosen) else f"{chosen:g}",
        len(earlier),
        len(later),
    )
    return chosen


def _pairs(seen: sp.csr_array, later: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Two different items (p,) of a seeded sample of later units."""
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(later, PAIRS)
    start, size = seen.indptr[drawn], np.diff(seen.indptr)[drawn]
    first = rng.integers(0, size)
    second = (first + rng.integers(1, size)) % size
    return seen.indices[start + first], seen.indices[start + second]


def _shared(seen: sp.csr_array, seeds: Rows, answers: Rows) -> tuple[Rows, Rows]:
    """The units that hold both items of a pair, and the pair of each (s,)."""
    by_item = seen.T.tocsr()
    both = by_item[seeds].multiply(by_item[answers]).tocoo()
    return both.col, both.row
