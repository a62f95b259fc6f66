"""Best sellers: what fills up a list that is short, and replaces one that is missing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, frozen
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import most_popular
from recommender.core.labels import Labels
from recommender.core.neighbours import NONE

DEPTH = 100


@dataclass(frozen=True, slots=True)
class BestSellers:
    """Best sellers of the shop (r,), and those of each category one after another.

    `category` (n,) numbers the category of each item from 0; the best sellers of category c are
    `shelved` from `starts[c]` to `starts[c + 1]`, among them items that have it besides their own.
    An item without a category has the last number, whose shelf is empty.
    """

    shop: Rows
    shelved: Rows
    starts: NDArray[np.int64]
    category: Rows

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        sold: NDArray[np.floating[Any]],
        allowed: NDArray[np.bool_],
        depth: int = DEPTH,
    ) -> "BestSellers":
        """Items that were `sold` (n,), are `allowed` (n,) and in stock, by falling sales.

        `depth` bounds how many of the shop are kept. Ties are in row order.
        """
        ranked = most_popular(sold, allowed & catalogue.in_stock)
        labels = Labels.of_categories(catalogue)
        place = np.full(len(catalogue), NONE, dtype=np.int32)
        place[ranked] = np.arange(len(ranked), dtype=np.int32)
        rows, codes = labels.members()
        n_categories = int(codes.max(initial=NONE)) + 1
        rows, codes = rows[place[rows] != NONE], codes[place[rows] != NONE]
        order = np.lexsort((place[rows], codes))
        starts = np.searchsorted(codes[order], np.arange(n_categories + 1), side="left")
        own = np.where(labels.own == NONE, n_categories, labels.own).astype(np.int32)
        return cls(frozen(ranked[:depth]), rows[order], np.append(starts, starts[-1]), own)

    @property
    def longest(self) -> int:
        """The most best sellers that the shop or any category has, at least 1."""
        return max(1, len(self.shop), int(np.diff(self.starts).max(initial=0)))

    def behind(self, rows: Rows, k: int) -> Rows:
        """For each of b rows, k best sellers of its category, then k of the shop: (b, 2 k)."""
        columns = np.arange(k)
        found = np.full((len(rows), 2 * k), NONE, dtype=np.int32)
        found[:, k : k + len(self.shop[:k])] = self.shop[:k]
        start = self.starts[self.category[rows]]
        there = columns < (self.starts[self.category[rows] + 1] - start)[:, None]
        found[:, :k][there] = self.shelved[(start[:, None] + columns)[there]]
        return found
