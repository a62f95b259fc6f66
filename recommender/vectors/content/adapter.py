"""Adapter: a residual layer behind a text model, that moves its vectors towards one shop."""

from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import FloatMatrix, FloatVector, unit_rows

CENTRED = 0.8
STRENGTH = 0.5


@dataclass(frozen=True, slots=True)
class Adapter:
    """x + max(x up, 0) down of unit vectors x (n, d), less `centre`, of length one again.

    `up` (d, h), `down` (h, d), `centre` (d,). With `down` and `centre` of zero, vectors stay what
    they are.
    """

    up: FloatMatrix
    down: FloatMatrix
    centre: FloatVector

    def apply(self, matrix: FloatMatrix) -> FloatMatrix:
        """The moved vectors (n, d); a zero row stays zero."""
        moved = unit_rows(matrix + np.maximum(matrix @ self.up, 0) @ self.down)
        return unit_rows(np.where(moved.any(axis=1, keepdims=True), moved - self.centre, 0))

    def tempered(self) -> "Adapter":
        """The same, moving half as far: what it learned of old items is not all true of new ones.

        Lists by text alone would rather go all the way; what weighs text against behaviour would
        not, as it learns from the items that the adapter has learned from.
        """
        return Adapter(self.up, np.float32(STRENGTH) * self.down, self.centre)

    def centred(self, matrix: FloatMatrix) -> "Adapter":
        """The same less most of the direction that all vectors (n, d) share.

        Softmax does not mind a shared direction, but whatever compares or multiplies cosines does.
        """
        moved = self.apply(matrix)
        shared = CENTRED * moved[moved.any(axis=1)].mean(axis=0)
        return Adapter(self.up, self.down, self.centre + shared.astype(np.float32))
