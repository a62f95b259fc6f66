"""Pins: items that stand at a position of a list, whatever their score."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recommender.core.arrays import Rows, first_of_each
from recommender.core.neighbours import NONE
from recommender.merchandising.entries import Places
from recommender.merchandising.matching import Matched
from recommender.merchandising.working_lists import FILLER, Acts, Flags, Kept, Scores

_NO_ACTS: Acts = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Pins:
    """The pins of b lists (b, m), in the order of their rules; `rows` is `NONE` where none is.

    `seats` count from 0; `rules` are numbers of rules. `barred` and `displaced` are pins that were
    forbidden, or have another seat than they wanted.
    """

    rows: Rows
    seats: Places
    rules: Places
    barred: Acts = field(default_factory=_NO_ACTS.copy)
    displaced: Acts = field(default_factory=_NO_ACTS.copy)

    @classmethod
    def gathered(
        cls, owners: Rows, wanted: Sequence[tuple[Matched, Places, Rows]], depth: int
    ) -> "Pins":
        """The pins that rules want: numbers of lists and a row for each, one rule after another.

        An item is not pinned to its own list, and no item twice to one.
        """
        lists = np.concatenate([np.zeros(0, np.int64), *(lists for _, lists, _ in wanted)])
        rows = np.concatenate([np.zeros(0, np.int32), *(rows for _, _, rows in wanted)])
        sizes = [len(lists) for _, lists, _ in wanted]
        rules = np.repeat([matched.number for matched, _, _ in wanted], sizes).astype(np.int64)
        seats = np.repeat([matched.rule.position - 1 for matched, _, _ in wanted], sizes)
        order = np.argsort(lists, kind="stable")
        order = order[rows[order] != owners[lists[order]]]
        lists = lists[order]
        counts = np.bincount(lists, minlength=len(owners))
        columns = np.arange(len(lists)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = len(owners), int(counts.max(initial=0))
        made = cls(
            np.full(shape, NONE, dtype=np.int32),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
        )
        made.rows[lists, columns] = rows[order]
        made.seats[lists, columns] = np.minimum(seats[order], depth - 1)
        made.rules[lists, columns] = rules[order]
        again = made.found & ~first_of_each(made.rows)
        displaced = made.acts(again)
        made.rows[again] = NONE
        return replace(made, displaced=displaced)

    @property
    def found(self) -> Flags:
        """Where there is a pin (b, m)."""
        found: Flags = self.rows != NONE
        return found

    @property
    def lists(self) -> Places:
        """The numbers of the lists that have a pin."""
        return np.flatnonzero(self.found.any(axis=1))

    @property
    def set_by(self) -> Acts:
        """Which rule pins something in which list."""
        return self.acts(self.found)

    def acts(self, where: Flags) -> Acts:
        """List and rule of some pins."""
        return np.column_stack([np.nonzero(where)[0], self.rules[where]])

    def without(self, barred: Flags) -> "Pins":
        """The pins that are not `barred` (b, m)."""
        rows = np.where(barred, np.int32(NONE), self.rows)
        return replace(self, rows=rows, barred=self.acts(barred & self.found))

    def seated(self, depth: int) -> "Pins":
        """Each pin on its own seat: the one it wants, or the next that is free, or the last.

        A pin for which no seat is free is left out.
        """
        taken = np.zeros((len(self.rows), depth), dtype=bool)
        rows, seats = self.rows.copy(), self.seats.copy()
        for column in range(rows.shape[1]):
            lists = np.flatnonzero(rows[:, column] != NONE)
            free = ~taken[lists]
            behind = free & (np.arange(depth) >= seats[lists, column][:, None])
            last = depth - 1 - np.argmax(free[:, ::-1], axis=1)
            seat = np.where(behind.any(axis=1), np.argmax(behind, axis=1), last)
            full = ~free.any(axis=1)
            rows[lists[full], column] = NONE
            seats[lists, column] = np.where(full, -1, seat)
            taken[lists[~full], seat[~full]] = True
        moved = self.acts(self.found & (seats != self.seats))
        return replace(
            self, rows=rows, seats=seats, displaced=np.concatenate([self.displaced, moved])
        )

    def part(self, lists: Places) -> "Pins":
        """The pins of some lists."""
        rows, seats = self.rows[lists], self.seats[lists]
        return replace(self, rows=rows, seats=seats, rules=self.rules[lists])

    def put_into(self, kept: Kept, depth: int) -> None:
        """Set the pins of these lists; what stood at their seats moves back.

        A pin scores what the entry before it scores, the first one what the entry behind it does.
        """
        lists = self.lists
        if not len(lists):
            return
        part, pinned = kept.part(lists), self.rows[lists]
        width = part.rows.shape[1]
        away = (part.rows[:, :, None] == pinned[:, None, :]).any(axis=2) | (part.rows == NONE)
        order = np.argsort(away, axis=1, kind="stable")
        seats = _seats(pinned, self.seats[lists], width)
        seats[np.take_along_axis(away, order, axis=1)] = width
        both = part.reordered(order).beside(pinned)
        seats = np.hstack([seats, np.where(pinned == NONE, width, self.seats[lists])])
        order = np.argsort(seats, axis=1, kind="stable")[:, :width]
        there = np.take_along_axis(seats, order, axis=1) < depth
        both = both.reordered(order)
        kept.rows[lists] = np.where(there, both.rows, np.int32(NONE))
        kept.scores[lists], kept.evidence[lists] = _scored(both.scores, there), both.evidence


def _seats(pinned: Rows, taken: Places, width: int) -> Places:
    """The seats (t, w) of what is not pinned, in its order; `width` where none is left."""
    occupied = np.zeros((len(pinned), width), dtype=bool)
    lists, columns = np.nonzero(pinned != NONE)
    occupied[lists, taken[lists, columns]] = True
    free = np.argsort(occupied, axis=1, kind="stable")
    left = np.arange(width) < (~occupied).sum(axis=1)[:, None]
    return np.where(left, free, width)


def _scored(scores: Scores, there: Flags) -> Scores:
    """Scores with those filled in that are NaN: as the entry before, else as the one behind."""
    own = there & ~np.isnan(scores)
    places = np.arange(scores.shape[1])
    before = np.maximum.accumulate(np.where(own, places, -1), axis=1)
    first = np.argmax(own, axis=1)[:, None]
    behind = np.take_along_axis(scores, first, axis=1)
    behind = np.where(own.any(axis=1, keepdims=True) & (behind > FILLER), behind, 1.0)
    led = np.take_along_axis(scores, np.maximum(before, 0), axis=1)
    return np.where(before >= 0, led, behind)
