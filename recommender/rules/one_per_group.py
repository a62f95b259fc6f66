"""One variant of a product."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.arrays import Rows, first_of_each
from recommender.catalogue import Catalogue
from recommender.neighbours import Neighbours


@dataclass(frozen=True, slots=True)
class OnePerGroup:
    """Keeps the best variant of each group, and none of the asking item's own group."""

    def keep(self, rows: Rows, candidates: Neighbours, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Which candidates (b, k) are the first of their group."""
        groups = np.where(candidates.found, catalogue.group_codes[candidates.rows], -1)
        own = catalogue.group_codes[rows][:, None]
        kept: NDArray[np.bool_] = candidates.found & first_of_each(groups) & (groups != own)
        return kept
