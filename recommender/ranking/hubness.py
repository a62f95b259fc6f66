"""Hubs: no item stands in more than a share of a placement's lists."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of n lists, list after list, each best first.

    `owner` (e,) is the list and `row` (e,) the item of an entry, `place` (e,) how many stand
    before it; where `behind` (e,), it is a best seller that fills a list up.
    """

    owner: Rows
    row: Rows
    place: Rows
    behind: NDArray[np.bool_]

    @classmethod
    def of(cls, sizes: NDArray[np.int64], own: NDArray[np.int64], row: Rows) -> "Entries":
        """The entries of lists of `sizes` (n,), of which the first `own` (n,) are no filling."""
        owner = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        place = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return cls(owner, row, place.astype(np.int32), place >= own[owner])

    def bounded(self, depth: int, most: int) -> NDArray[np.bool_]:
        """Which entries stay (e,): at most `depth` of each list, no item in more than `most`.

        Every list asks for its best entries; an item asked for by too many stays where it stands
        highest (own entries before best sellers, equal ones by the list's row), and the others ask
        for their next. The result is the one that is best for every list, whatever the order in
        which lists are seen: so it does not depend on shards.

        Source: deferred acceptance of Gale, Shapley 1962, "College admissions and the stability of
        marriage", lists asking.
        """
        open_entries = np.ones(len(self.row), dtype=bool)
        by_item = np.lexsort((self.owner, self.place, self.behind, self.row))
        item = self.row[by_item]
        while True:
            asked = open_entries & (_counted(open_entries, self.owner) <= depth)
            ranked = asked[by_item]
            refused = ranked & (_counted(ranked, item) > most)
            if not refused.any():
                return asked
            open_entries[by_item[refused]] = False


def most_lists(hub_share: float, n_items: int) -> int:
    """In how many of n lists an item may stand, at least one."""
    return max(1, int(hub_share * n_items + 1e-9))


def _counted(chosen: NDArray[np.bool_], groups: Rows) -> NDArray[np.int64]:
    """How many of the chosen stand in their group up to each place (e,); groups are contiguous."""
    if not len(chosen):
        return np.zeros(0, dtype=np.int64)
    total = np.cumsum(chosen)
    first = np.concatenate([[True], groups[1:] != groups[:-1]])
    before: NDArray[np.int64] = (total - chosen)[first]
    counted: NDArray[np.int64] = total - before[np.cumsum(first) - 1]
    return counted
