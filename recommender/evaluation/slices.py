"""Slices: which queries share something, so that no mean hides a group."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import PATH_SEPARATOR
from recommender.evaluation.baskets import Queries

TAIL, HEAD = 20, 200
LEAST_QUERIES = 100
MOST_CATEGORIES = 12
ALL, COLD, CATEGORY = "all", "simulated cold", "category: "

Slices = Mapping[str, NDArray[np.bool_]]


def by_support(queries: Queries, support: NDArray[np.float32]) -> dict[str, NDArray[np.bool_]]:
    """Which queries (q,) belong to each slice, by the support of the item that asks."""
    asked = support[queries.row]
    return {
        ALL: np.ones(len(queries), dtype=bool),
        "new": asked == 0,
        "tail": (asked >= 1) & (asked < TAIL),
        "torso": (asked >= TAIL) & (asked < HEAD),
        "head": asked >= HEAD,
    }


def by_category(queries: Queries, category: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Which queries (q,) ask with an item of each top-level category.

    Of the categories with at least 100 queries the twelve with most; none where the catalogue
    has no categories.
    """
    asked = np.array([category[row].split(PATH_SEPARATOR)[0] for row in queries.row.tolist()])
    counts = Counter(asked.tolist())
    counts.pop("", None)
    names = [name for name, n in counts.most_common(MOST_CATEGORIES) if n >= LEAST_QUERIES]
    return {f"{CATEGORY}{name}": asked == name for name in names}
