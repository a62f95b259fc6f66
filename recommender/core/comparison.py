"""Comparison: how the lists of one build differ from those of another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, blocks
from recommender.core.lists import NamedLists, RelatedLists, first_rows
from recommender.core.neighbours import NONE
from recommender.core.related import EVIDENCE

K, FIRST = 10, 5
FEWEST_LISTS, LISTS_SHARE, TIMES = 10, 0.01, 3
_POPULAR = EVIDENCE.index("popular")


def own_top(lists: RelatedLists) -> Rows:
    """The first ten rows of each list (n, 10), without best sellers that fill it up."""
    entries = lists.entries
    own = np.where(entries.evidence == _POPULAR, np.int32(NONE), entries.rows)
    return first_rows(lists.sizes, own, K)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two builds, item by item, for the c items that both have.

    `old_rows` and `new_rows` (c,) are their rows, `kept` (c,) the share of the longer of both
    first tens that is in the other too (1 where both are empty), `moved` (c,) whether the
    order differs at all. `orphaned` are rows of the new build whose item was in a list of the
    old one and is in none now. `links_before` and `links_after` (n,) count, for all items of
    the new build, in the first five of how many of the c lists each is.
    """

    old_rows: Rows
    new_rows: Rows
    kept: NDArray[np.float64]
    moved: NDArray[np.bool_]
    orphaned: Rows
    links_before: NDArray[np.int64]
    links_after: NDArray[np.int64]

    @property
    def overlap(self) -> float:
        """The mean share that was kept, 1 where the builds have no item in common."""
        return float(self.kept.mean()) if len(self.kept) else 1.0

    @property
    def churn(self) -> float:
        """The mean share of the first ten that is new or gone."""
        return 1 - self.overlap

    @property
    def jumped(self) -> Rows:
        """The items (j,) that entered the first five of many lists, the largest jump first.

        Many are ten lists and 1 % of them at least, and three times as many as before: that is
        what a season does to a few best sellers, and what bought events may do to any item.
        """
        more = self.links_after - self.links_before
        least = max(FEWEST_LISTS, LISTS_SHARE * len(self.new_rows))
        found = np.flatnonzero((more >= least) & (self.links_after >= TIMES * self.links_before))
        return found[np.argsort(-more[found], kind="stable")].astype(np.int32)


def compare(old: NamedLists, new: NamedLists) -> Comparison:
    """Compare the first ten of all lists."""
    old_of_new = old.ids.rows(new.ids)
    new_rows = np.flatnonzero(old_of_new >= 0).astype(np.int32)
    old_rows = old_of_new[new_rows]
    new_of_old = new.ids.rows(old.ids)
    before = _translated(own_top(old.lists), new_of_old)[old_rows]
    after = own_top(new.lists)[new_rows]
    kept = np.ones(len(new_rows), dtype=np.float64)
    for block in blocks(len(new_rows), 65_536):
        kept[block] = _shared(before[block], after[block])
    listed = np.zeros(len(new.ids), dtype=bool)
    listed[new.lists.entries.rows] = True
    was_listed = np.zeros(len(old.ids), dtype=bool)
    was_listed[old.lists.entries.rows] = True
    orphaned = new_rows[was_listed[old_rows] & ~listed[new_rows]]
    return Comparison(
        old_rows,
        new_rows,
        kept,
        (before != after).any(axis=1),
        orphaned,
        _links(before, len(new.ids)),
        _links(after, len(new.ids)),
    )


def _links(top: Rows, n_items: int) -> NDArray[np.int64]:
    """In how many of the lists (c, k) each item is among the first five (n,)."""
    first = top[:, :FIRST]
    return np.bincount(first[first >= 0], minlength=n_items)


def shared(one: Rows, other: Rows) -> float:
    """The mean share of the longer of two lists (n, k) of an item that is in both.

    Items with two empty lists are left out; 0 where all are.
    """
    there = ((one != NONE) | (other != NONE)).any(axis=1)
    shares = [
        _shared(one[there][block], other[there][block])
        for block in blocks(int(there.sum()), 65_536)
    ]
    return float(np.concatenate(shares).mean()) if shares else 0.0


def _translated(rows: Rows, of_old: Rows) -> Rows:
    """Rows of the old build as rows of the new one; -2 where the new one has no such item."""
    known = np.where(of_old >= 0, of_old, -2)
    translated: Rows = np.where(rows == NONE, NONE, known[np.maximum(rows, 0)]).astype(np.int32)
    return translated


def _shared(before: Rows, after: Rows) -> NDArray[np.float64]:
    """The share of the longer list that is in both (b,)."""
    both = (before[:, :, None] == after[:, None, :]) & (before >= 0)[:, :, None]
    shared = both.any(axis=2).sum(axis=1)
    longer = np.maximum((before != NONE).sum(axis=1), (after != NONE).sum(axis=1))
    return np.where(longer > 0, shared / np.maximum(longer, 1), 1.0)
