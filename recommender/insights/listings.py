"""Listings: in which lists each item is, the other way round of related lists."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, frozen
from recommender.core.lists import RelatedLists, offsets_of, ranks_of


@dataclass(frozen=True, slots=True)
class Listings:
    """By item, the lists that have it: `owners` (e,) and `places` (e,) among all entries.

    Those of row i are from `offsets[i]` to `offsets[i + 1]`, the best rank first.
    """

    offsets: NDArray[np.int64]
    owners: Rows
    ranks: NDArray[np.int32]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, lists: RelatedLists) -> "Listings":
        """Sort the entries of all lists by the item that they show."""
        ranks = ranks_of(lists.sizes).astype(np.int32) + 1
        order = np.lexsort((ranks, lists.entries.rows))
        counts = np.bincount(lists.entries.rows, minlength=len(lists))
        return cls(
            offsets_of(counts), frozen(lists.owners[order]), frozen(ranks[order]), frozen(order)
        )

    def slice_of(self, row: int) -> slice:
        """Where the listings of an item are."""
        return slice(int(self.offsets[row]), int(self.offsets[row + 1]))

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many lists have each item (n,)."""
        return np.diff(self.offsets)
