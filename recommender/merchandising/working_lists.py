"""Working lists: a block of lists while rules move its entries, and pins that take positions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, first_of_each
from recommender.core.lists import Entries, ranks_of
from recommender.core.neighbours import NONE
from recommender.core.related import EVIDENCE
from recommender.merchandising.matching import Matched, Places

Flags = NDArray[np.bool_]
Scores = NDArray[np.float32]
Acts = NDArray[np.int64]
"""Pairs (t, 2): the number of a list or the row of its owner, and the number of a rule."""

RULE = np.uint8(EVIDENCE.index("rule"))
POPULAR = np.uint8(EVIDENCE.index("popular"))
LOWEST_SCORE = 1e-6
FILLER = 2e-6
"""Entries that score less only fill a list up; buried entries stay above them."""
_NO_ACTS: Acts = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class WorkingLists:
    """The lists (b, w) of b owners while rules change them in place.

    `dropped` (b, w) marks entries that leave, `weights` (b, w) are their scores as rules weigh
    them, `notes` say in which lists which rule acted.
    """

    owners: Rows
    entries: Entries
    dropped: Flags
    weights: NDArray[np.float64]
    notes: list[Acts] = field(default_factory=list)

    @classmethod
    def of(cls, owners: Rows, lists: Entries, width: int) -> "WorkingLists":
        """Copies of lists (b, k) with room for `width` entries."""
        entries = Entries.padded((len(owners), width))
        entries.put(np.s_[:, : lists.rows.shape[1]], lists)
        weights = np.where(entries.found, entries.scores, LOWEST_SCORE).astype(np.float64)
        return cls(owners, entries, np.zeros(weights.shape, dtype=bool), weights)

    @property
    def flat(self) -> Entries:
        """The entries one after another (b x w,), as views that can be written to."""
        return self.entries.map(np.ravel)

    def note(self, matched: Matched, places: Places) -> None:
        """Remember in which lists a rule acted."""
        if len(places):
            acted = np.zeros(len(self.owners), dtype=bool)
            acted[places // self.dropped.shape[1]] = True
            lists = np.flatnonzero(acted)
            self.notes.append(np.column_stack([lists, np.full(len(lists), matched.number)]))

    @property
    def touched(self) -> Flags:
        """In which lists (b,) a rule acted."""
        touched = np.zeros(len(self.owners), dtype=bool)
        for note in self.notes:
            touched[note[:, 0]] = True
        return touched

    def settled(self, lists: Places) -> Entries:
        """Some of the lists without the dropped entries, in the order of their weights."""
        entries, weights, owners = self.entries[lists], self.weights[lists], self.owners[lists]
        rows = np.where(self.dropped[lists], np.int32(NONE), entries.rows)
        stay = (rows != NONE) & (rows != owners[:, None]) & first_of_each(rows)
        mixed = (weights != np.where(entries.found, entries.scores, LOWEST_SCORE)).any(axis=1)
        places = np.broadcast_to(np.arange(rows.shape[1], dtype=np.float64), rows.shape)
        keys = np.where(stay, np.where(mixed[:, None], -weights, places), np.inf)
        order = np.argsort(keys, axis=1, kind="stable")
        scores = np.clip(weights, 0.0, 1.0).astype(np.float32)
        kept = np.take_along_axis(stay, order, axis=1)
        return replace(entries, scores=scores).reordered(order).where(kept)


@dataclass(frozen=True, slots=True)
class PinnedItems:
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
    ) -> "PinnedItems":
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
        columns = ranks_of(counts)
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

    def acts(self, where: Flags) -> Acts:
        """List and rule of some pins."""
        return np.column_stack([np.nonzero(where)[0], self.rules[where]])

    def without(self, barred: Flags) -> "PinnedItems":
        """The pins that are not `barred` (b, m)."""
        rows = np.where(barred, np.int32(NONE), self.rows)
        return replace(self, rows=rows, barred=self.acts(barred & self.found))

    def seated(self, depth: int) -> "PinnedItems":
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

    def put_into(self, block: Entries, lists: Places, depth: int) -> None:
        """Set the pins of some lists, which are the rows of `block`, in place.

        The entries at the seats of pins move back. A pin scores as the entry before it does, the
        first one as the entry behind it.
        """
        pinned, seats = self.rows[lists], self.seats[lists]
        having = np.flatnonzero((pinned != NONE).any(axis=1))
        if not len(having):
            return
        part, pinned, seats = block[having], pinned[having], seats[having]
        width = part.rows.shape[1]
        away = (part.rows[:, :, None] == pinned[:, None, :]).any(axis=2) | ~part.found
        order = np.argsort(away, axis=1, kind="stable")
        left = _free_seats(pinned, seats, width)
        left[np.take_along_axis(away, order, axis=1)] = width
        new = Entries.padded(pinned.shape)
        new.put_new(..., rows=pinned, scores=np.nan, evidence=RULE)
        both = Entries.concatenated([part.reordered(order), new], axis=1)
        seats = np.hstack([left, np.where(pinned == NONE, width, seats)])
        order = np.argsort(seats, axis=1, kind="stable")[:, :width]
        there = np.take_along_axis(seats, order, axis=1) < depth
        both = both.reordered(order)
        scored = replace(both, scores=_scored(both.scores, there))
        block.put(having, scored.where(there))


def _free_seats(pinned: Rows, taken: Places, width: int) -> Places:
    """The seats (t, w) of entries that are not pinned, in their order; `width` without a seat."""
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
    behind = np.where(own.any(axis=1, keepdims=True) & (behind > FILLER), behind, np.float32(1))
    led = np.take_along_axis(scores, np.maximum(before, 0), axis=1)
    return np.where(before >= 0, led, behind)
