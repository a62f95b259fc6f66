"""How sure a mean is: bootstrap over clusters of queries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(values: NDArray[np.float64], clusters: NDArray[np.int32], seed: int = 0) -> Interval:
    """Mean of values (q,), resampled by cluster (q,): queries of one basket are no news apart.

    Source: Efron, Tibshirani 1993, percentile intervals.
    """
    if not len(values):
        return Interval(0.0, 0.0, 0.0)
    _, numbers = np.unique(clusters, return_inverse=True)
    sums = np.bincount(numbers, weights=values)
    sizes = np.bincount(numbers)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    means = (weights @ sums) / (weights @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def paired(
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    clusters: NDArray[np.int32],
    seed: int = 0,
) -> Interval:
    """Mean difference of the same queries under two recipes, resampled by cluster."""
    return bootstrap(ours - theirs, clusters, seed)
