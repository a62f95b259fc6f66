"""Adapter: a residual layer behind a text model, that moves its vectors towards one shop."""

from dataclasses import dataclass

import numpy as np

from recommender.arrays import FloatMatrix, unit_rows


@dataclass(frozen=True, slots=True)
class Adapter:
    """x + max(x up, 0) down of unit vectors x (n, d), of length one again.

    `up` (d, h), `down` (h, d). With a `down` of zero, vectors stay what they are.
    """

    up: FloatMatrix
    down: FloatMatrix

    def apply(self, matrix: FloatMatrix) -> FloatMatrix:
        """The moved vectors (n, d); a zero row stays zero."""
        return unit_rows(matrix + np.maximum(matrix @ self.up, 0) @ self.down)
