"""Neighbours of a block of items: rows and scores, best first."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.core.arrays import FloatMatrix, Rows, frozen
from recommender.errors import DataError

NONE = -1


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Near items of b queries: `rows` and `scores` (b, k), best first.

    A row is `NONE`, with score -inf, where a query has fewer than k neighbours; such padding
    is behind the neighbours and never leaves this type.
    """

    rows: Rows
    scores: FloatMatrix

    def __post_init__(self) -> None:
        if self.rows.shape != self.scores.shape or self.rows.ndim != 2:
            raise DataError(f"neighbours: {self.rows.shape} rows, {self.scores.shape} scores")
        object.__setattr__(self, "rows", frozen(self.rows))
        object.__setattr__(self, "scores", frozen(self.scores))

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Where there is a neighbour (b, k)."""
        found: npt.NDArray[np.bool_] = self.rows != NONE
        return found

    def keep(self, kept: npt.NDArray[np.bool_], depth: int) -> "Neighbours":
        """The first `depth` neighbours of each query among those `kept` (b, k)."""
        kept = kept & self.found
        order = np.argsort(~kept, axis=1, kind="stable")[:, :depth]
        taken = np.take_along_axis(kept, order, axis=1)
        rows = np.where(taken, np.take_along_axis(self.rows, order, axis=1), np.int32(NONE))
        scores = np.take_along_axis(self.scores, order, axis=1)
        return Neighbours(rows, np.where(taken, scores, np.float32(-np.inf)))

    def keep_first(self, depth: int) -> "Neighbours":
        """The first `depth` neighbours of each query."""
        return self.keep(self.found, depth)

    @classmethod
    def ordered(cls, rows: Rows, scores: FloatMatrix) -> "Neighbours":
        """Neighbours from unordered columns: best first, equal scores by row, padding last."""
        masked = np.where(rows == NONE, np.float32(-np.inf), scores).astype(np.float32)
        order = np.lexsort((rows, -masked), axis=1)
        return cls(
            np.take_along_axis(rows, order, axis=1).astype(np.int32),
            np.take_along_axis(masked, order, axis=1),
        )
