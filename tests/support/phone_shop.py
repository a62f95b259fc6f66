"""A shop of three phones, their cases by brand, and three mugs."""

import dataclasses

import numpy as np

from recommender.core.arrays import unit_rows
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.core.vectors import ItemVectors
from tests.support.shops import catalogue, context, interactions

N_ITEMS = 9
"""0 to 2 are phones, 3 to 5 cases, 6 to 8 mugs."""
BASKETS = [[0, 3], [0, 3], [1, 4], [1, 4], [3], [4], [5], [6, 7], [7], [3, 8]]
"""Phones are bought with the case of their brand; item 2, a phone, and 5, its case, alone."""


def phone_shop(baskets: list[list[int]], texts: np.ndarray | None = None) -> RankingContext:
    """The shop with these baskets; `texts` (9, d) are its text vectors, by default all apart."""
    brands = ("Acme", "Bolt", "Crux") * 3
    paths = ("Phones",) * 3 + ("Cases",) * 3 + ("Mugs",) * 3
    items = dataclasses.replace(catalogue(N_ITEMS), brand=brands, category=paths)
    matrix = unit_rows((np.eye(N_ITEMS) if texts is None else texts).astype(np.float32))
    return context(ItemVectors(matrix, matrix), interactions(baskets, N_ITEMS), items)


def others(row: int) -> tuple[np.ndarray, Neighbours]:
    """One item and all others as its candidates."""
    found = np.array([[other for other in range(N_ITEMS) if other != row]], dtype=np.int32)
    return np.array([row], dtype=np.int32), Neighbours(found, np.ones(found.shape, np.float32))
