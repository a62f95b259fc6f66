"""Calibration: strengths of pairs to probabilities, by what was observed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix

BINS = 200
LOWEST, HIGHEST = 1e-6, 1 - 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """A rising line through `knots` (k, 2) of strength and observed share; the first is (0, 0).

    Source: isotonic calibration of Zadrozny, Elkan 2002, "Transforming classifier scores into
    accurate multiclass probability estimates", with its steps joined by lines so that no two
    strengths share a score.
    """

    knots: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        strength: NDArray[np.float64],
        observed: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> "Calibration":
        """Fit to strengths of at least 0, observed shares and their weights, all (m,)."""
        from scipy.optimize import isotonic_regression

        distinct, place = np.unique(strength, return_inverse=True)
        masses = (weight, strength * weight, observed * weight)
        weighed = [np.bincount(place, mass) for mass in masses]
        expected = np.cumsum(weighed[1] + weighed[1].mean() / len(distinct) + 1e-12)
        bins = np.minimum((expected / expected[-1] * BINS).astype(np.int64), BINS - 1)
        weights, strengths, shares = (np.bincount(bins, one, minlength=BINS) for one in weighed)
        some = weights > 0
        level = isotonic_regression(shares[some] / weights[some], weights=weights[some]).x
        _, pool = np.unique(level, return_inverse=True)
        mass = np.bincount(pool, weights[some])
        knots = np.column_stack(
            [np.bincount(pool, strengths[some]) / mass, np.bincount(pool, shares[some]) / mass]
        )
        rising = np.diff(knots[:, 0], prepend=0.0) > 0
        return cls(np.vstack([[0.0, 0.0], knots[rising & (knots[:, 1] > 0)]]))

    def scores(self, strength: FloatMatrix) -> FloatMatrix:
        """The probability of each strength, in (0, 1), larger for larger ones."""
        x, y = self.knots.T
        within = np.interp(strength, x, y)
        room = HIGHEST - min(y[-1], HIGHEST)
        beyond = np.maximum(strength - x[-1], 0) / max(x[-1], 1e-9)
        scores = within + room * (1 - np.exp(-beyond * y[-1] / max(room, 1e-9)))
        clipped: FloatMatrix = np.clip(scores, LOWEST, HIGHEST).astype(np.float32)
        return clipped
