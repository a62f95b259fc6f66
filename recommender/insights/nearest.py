"""Nearest: the items whose vectors are nearest to an item's, in one origin."""

from collections.abc import Sequence

import numpy as np

from recommender.core.vectors import Embeddings


def nearest_items(origin: Embeddings, row: int, k: int) -> Sequence[tuple[int, float]]:
    """The rows and cosines of at most k items, nearest first; none for an item without a vector."""
    if not origin.support[row] > 0:
        return []
    cosines = origin.matrix @ origin.matrix[row]
    cosines[row] = -np.inf
    cosines[origin.support == 0] = -np.inf
    first = np.argpartition(-cosines, min(k, len(cosines) - 1))[:k]
    ordered = first[np.lexsort((first, -cosines[first]))]
    return [(int(one), float(cosines[one])) for one in ordered if cosines[one] > -np.inf]
