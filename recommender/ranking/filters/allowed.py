"""Items that a rule allows in any list."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.neighbours import Neighbours


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whether each item of one build may be listed (n,), whoever asks."""

    items: NDArray[np.bool_]

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are allowed."""
        return candidates.found & self.items[candidates.rows]
