"""How sure a mean is: bootstrap over clusters of queries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float

    def plain(self) -> dict[str, float]:
        """The interval as JSON knows it."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Resamples:
    """Draws of clusters with replacement, the same for everyone who is judged on the queries.

    `number` (q,) is the cluster of each query; `weights` (draws, c) says how often each cluster is
    in each draw. Queries of one basket are no news apart, so they come and go together.
    """

    number: NDArray[np.int64]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, clusters: NDArray[np.integer], seed: int = 0) -> "Resamples":
        """Draw for queries whose clusters (q,) are named by any whole numbers."""
        distinct, number = np.unique(clusters, return_inverse=True)
        n = len(distinct)
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(n, np.full(n, 1 / max(n, 1)), size=RESAMPLES)
        return cls(number.astype(np.int64), drawn.astype(np.float32))

    def intervals(
        self, values: NDArray[np.float64], chosen: NDArray[np.bool_] | None = None
    ) -> list[Interval]:
        """The mean of each column of values (q, m), over the `chosen` queries (q,) or all.

        Source: Efron, Tibshirani 1993, percentile intervals.
        """
        number = self.number if chosen is None else self.number[chosen]
        values = values if chosen is None else values[chosen]
        if not len(values):
            return [Interval(0.0, 0.0, 0.0)] * values.shape[1]
        n = self.weights.shape[1]
        columns = [np.bincount(number, column, n) for column in (np.ones(len(values)), *values.T)]
        drawn = self.weights @ np.column_stack(columns).astype(np.float32)
        some = drawn[:, 0] > 0
        means = drawn[some, 1:] / drawn[some, :1]
        low, high = np.quantile(means.astype(np.float64), QUANTILES, axis=0)
        return [
            Interval(float(mean), float(lower), float(upper))
            for mean, lower, upper in zip(values.mean(axis=0), low, high, strict=True)
        ]
