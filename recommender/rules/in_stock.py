"""Only what can be bought."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.arrays import Rows
from recommender.catalogue import Catalogue
from recommender.neighbours import Neighbours


@dataclass(frozen=True, slots=True)
class InStock:
    """Drops items that the catalogue says are out of stock."""

    def keep(self, rows: Rows, candidates: Neighbours, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Which candidates (b, k) are in stock."""
        return candidates.found & catalogue.in_stock[candidates.rows]
