"""Reserve: what fills a list up that rules have shortened."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, text_codes
from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import NONE

DEPTH = 10_000
"""How many best sellers of the shop, and of one category, are tried."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Best sellers of the shop (r,), and of each category one after another.

    `category` (n,) numbers the category of each item; the best sellers of category c are
    `shelved` from `starts[c]` to `starts[c + 1]`. An item without a category has none.
    """

    shop: Rows
    shelved: Rows
    starts: NDArray[np.int64]
    category: Rows

    @classmethod
    def of(
        cls, catalogue: Catalogue, sold: NDArray[np.floating[Any]], allowed: NDArray[np.bool_]
    ) -> "Reserve":
        """What was `sold` (n,) and is `allowed` (n,), by falling sales; equals in row order."""
        ranked = np.argsort(-sold, kind="stable").astype(np.int32)
        ranked = ranked[(sold[ranked] > 0) & allowed[ranked] & catalogue.in_stock[ranked]]
        codes, names = text_codes(catalogue.category)
        unknown = np.array([not name for name in names], dtype=bool)[codes]
        codes = np.where(unknown, len(names), codes).astype(np.int32)
        order = np.argsort(codes[ranked], kind="stable")
        shelved = ranked[order]
        starts = np.searchsorted(codes[shelved], np.arange(len(names) + 1), side="left")
        return cls(ranked[:DEPTH], shelved, np.append(starts, starts[-1]), codes)

    @property
    def depth(self) -> int:
        """How many may be asked for until there are no more."""
        sizes = np.diff(self.starts)
        return max(1, len(self.shop), min(DEPTH, int(sizes.max(initial=0))))

    def beside(self, rows: Rows, k: int) -> Rows:
        """For each of b rows k of its category's, then k of the shop's: (b, 2 k)."""
        columns = np.arange(k)
        found = np.full((len(rows), 2 * k), NONE, dtype=np.int32)
        found[:, k : k + len(self.shop[:k])] = self.shop[:k]
        start = self.starts[self.category[rows]]
        there = columns < (self.starts[self.category[rows] + 1] - start)[:, None]
        places = (start[:, None] + columns)[there]
        found[:, :k][there] = self.shelved[places]
        return found
