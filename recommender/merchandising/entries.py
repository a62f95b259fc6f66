"""Entries: which entries of a block of lists a rule means."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.merchandising.matching import Matched

Places = NDArray[np.int64]
_NOWHERE: Places = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Entries:
    """The entries (b, w) of the lists of b owners, which rise; `NONE` where there is none.

    A place is a number in the flattened block. Made for a thousand rules: each looks at the
    entries that it may mean, not at all.
    """

    owners: Rows
    rows: Rows

    @property
    def width(self) -> int:
        """How many entries a list has room for."""
        return int(self.rows.shape[1])

    def meant(self, matched: Matched) -> Places:
        """The places of the entries that a rule moves."""
        if len(matched.pairs):
            return self._of_pairs(matched.pairs)
        if matched.owners is None:
            return self._of_targets(matched.targets)
        asked = self._lists_of(matched.owners)
        starts, ends = self._spans(matched.targets)
        if len(asked) * self.width <= int((ends - starts).sum()):
            places = (asked[:, None] * self.width + np.arange(self.width)).ravel()
            return places[within(self.rows.ravel()[places], matched.targets)]
        places = self._spanned(starts, ends)
        return places[within(self.owners[places // self.width], matched.owners)]

    def seats(self, matched: Matched) -> tuple[Places, Rows]:
        """Where a rule would put what it moves: numbers of lists, and a row for each."""
        if len(matched.pairs):
            return self._near_pairs(matched.pairs)
        every = np.arange(len(self.owners))
        lists = every if matched.owners is None else self._lists_of(matched.owners)
        targets = np.tile(matched.targets, len(lists))
        return np.repeat(lists, len(matched.targets)), targets

    def _of_pairs(self, pairs: NDArray[np.int32]) -> Places:
        lists, targets = self._near_pairs(pairs)
        at, column = np.nonzero(self.rows[lists] == targets[:, None])
        return lists[at] * self.width + column

    def _near_pairs(self, pairs: NDArray[np.int32]) -> tuple[Places, Rows]:
        low, high = self._bounds(pairs[:, 0])
        near = pairs[low:high]
        near = near[within(near[:, 0], self.owners)]
        return _positions(self.owners, near[:, 0]), near[:, 1]

    def _of_targets(self, targets: Rows) -> Places:
        return self._spanned(*self._spans(targets))

    def _lists_of(self, owners: Rows) -> Places:
        low, high = self._bounds(owners)
        near = owners[low:high]
        return _positions(self.owners, near[within(near, self.owners)])

    def _bounds(self, owners: Rows) -> tuple[int, int]:
        """Which of some owners, rising, can be among those of the block."""
        if not len(self.owners):
            return 0, 0
        low = int(np.searchsorted(owners, self.owners[0], side="left"))
        return low, int(np.searchsorted(owners, self.owners[-1], side="right"))

    @cached_property
    def _order(self) -> Places:
        return np.argsort(self.rows.ravel())

    @cached_property
    def _ordered(self) -> Rows:
        return self.rows.ravel()[self._order]

    def _spans(self, targets: Rows) -> tuple[Places, Places]:
        return (
            np.searchsorted(self._ordered, targets, side="left"),
            np.searchsorted(self._ordered, targets, side="right"),
        )

    def _spanned(self, starts: Places, ends: Places) -> Places:
        sizes = ends - starts
        if not sizes.any():
            return _NOWHERE
        skipped = np.cumsum(sizes) - sizes
        within = np.arange(int(sizes.sum())) - np.repeat(skipped, sizes)
        places: Places = self._order[np.repeat(starts, sizes) + within]
        return places


def within(values: Rows, rising: Rows) -> NDArray[np.bool_]:
    """Which values stand among some rising ones."""
    if not len(rising):
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(rising, values), len(rising) - 1)
    found: NDArray[np.bool_] = rising[places] == values
    return found


def _positions(rising: Rows, values: Rows) -> Places:
    return np.searchsorted(rising, values).astype(np.int64)
