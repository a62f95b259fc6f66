"""Hubness: no item is among the first entries of more than a share of a placement's lists."""

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, Rows
from recommender.core.lists import Entries, ranks_of
from recommender.core.recipe import Placement

FAIR = 2.5
"""How many times as often as on average an item may be shown, where that is more."""
DEMAND = 0.5
"""The power of what an item sells by which its list holds on to a hub."""


def arranged(
    sizes: NDArray[np.int64],
    own: NDArray[np.int64],
    sold: FloatVector,
    entries: Entries,
    placement: Placement,
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatVector]:
    """Arrange n lists so that no item is among the `shown` first of more than `most` of them.

    The lists are as in `bounded`; their items were `sold` (n,) so often. Entries that `bounded`
    refuses follow the shown ones, with at most the lowest score of these. Where a list has too few
    others they are left out; so entries of its own always come before best sellers. Returns the
    places (e,) of the entries that stay, at most `depth` of each list, their lists (e,) and their
    scores (e,).
    """
    owners = np.repeat(np.arange(len(sizes)), sizes)
    demand: FloatVector = np.maximum(sold, 1, dtype=np.float32) ** np.float32(DEMAND)
    worth: FloatVector = entries.scores * demand[owners]
    accepted = bounded(sizes, entries.rows, worth, placement.shown, most)
    is_own = ranks_of(sizes) < own[owners]
    full, own_full = (
        np.bincount(owners[some], minlength=len(sizes)) >= placement.shown
        for some in (accepted, accepted & is_own)
    )
    lowest = np.full(len(sizes), np.inf, dtype=np.float32)
    np.minimum.at(lowest, owners[accepted], entries.scores[accepted])
    scores = np.where(accepted, entries.scores, np.minimum(entries.scores, lowest[owners]))
    places = np.flatnonzero(accepted | (full[owners] & ~is_own) | own_full[owners])
    places = places[np.lexsort((~accepted[places], owners[places]))]
    kept = ranks_of(np.bincount(owners[places], minlength=len(sizes))) < placement.depth
    places = places[kept]
    return places, owners[places], scores[places]


def bounded(
    sizes: NDArray[np.int64], rows: Rows, worth: FloatVector, depth: int, most: int
) -> NDArray[np.bool_]:
    """Which entries stay (e,): at most `depth` of each list, no item in more than `most` lists.

    The n lists follow each other, each best first: `rows` (e,) are their items, `worth` (e,) is
    what an entry is worth where it stands, `sizes` (n,) how many entries each list has.

    Every list asks for its best entries; an item asked for by too many stays where it is worth most
    (equal ones by the list's row), and the others ask for their next. The result is the one that is
    best for every list, whatever the order in which lists are seen: so it does not depend on
    shards. An entry is worth its score, which is a probability that can be compared between lists,
    times the root of what the list's item sells, for the lists of best sellers are seen most.

    Source: deferred acceptance of Gale, Shapley 1962, "College admissions and the stability of
    marriage", lists asking.
    """
    owners = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    open_entries = np.ones(len(rows), dtype=bool)
    by_item = np.lexsort((owners, -worth, rows))
    item = rows[by_item]
    while True:
        asked = open_entries & (_counted(open_entries, owners) <= depth)
        ranked = asked[by_item]
        refused = ranked & (_counted(ranked, item) > most)
        if not refused.any():
            return asked
        open_entries[by_item[refused]] = False


def most_lists(placement: Placement, n_items: int) -> int:
    """In how many of n lists an item may be shown.

    At least one, and 2.5 times as many as if all items were shown equally often: a small
    catalogue could not fill its lists otherwise.
    """
    share = max(placement.hub_share, FAIR * placement.shown / max(n_items, 1))
    return max(1, int(share * n_items + 1e-9))


def _counted(chosen: NDArray[np.bool_], groups: Rows) -> NDArray[np.int64]:
    """How many are chosen in each group up to each place (e,); groups are contiguous."""
    if not len(chosen):
        return np.zeros(0, dtype=np.int64)
    total = np.cumsum(chosen)
    first = np.concatenate([[True], groups[1:] != groups[:-1]])
    before: NDArray[np.int64] = (total - chosen)[first]
    counted: NDArray[np.int64] = total - before[np.cumsum(first) - 1]
    return counted
