"""Row selection: which rows of a block remain, with every other one counted once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.readers.blocks import Block
from recommender.readers.row_accounting import MAX_VALUE, RefusedRow, RowAccounting
from recommender.readers.values import Categorical

HEADER_AGAIN = "the header again"


class RowSelection:
    """The rows of a block of b rows that remain; a row is dropped for its first reason alone."""

    def __init__(self, lines: NDArray[np.int64], accounting: RowAccounting) -> None:
        self._remaining = np.ones(len(lines), dtype=bool)
        self._lines = lines
        self._accounting = accounting

    def drop_headers(self, block: Block, columns: Sequence[str]) -> None:
        """Leave out rows that repeat the names of `columns`, as files that were joined have."""
        named = np.ones(len(block.lines), dtype=bool)
        for name in columns:
            cells = block.categorical(name)
            if name not in cells.texts:
                return
            named &= cells.where([text == name for text in cells.texts])
        self.drop(named, HEADER_AGAIN)

    def leave_out(self, cells: Categorical, reasons: Sequence[str]) -> None:
        """Leave out the rows whose distinct text in `cells` has a reason; "" is none."""
        if not any(reasons):
            return
        dropped = cells.where([bool(reason) for reason in reasons]) & self._remaining
        counts = np.bincount(cells.codes[dropped], minlength=len(reasons))
        for code in np.flatnonzero(counts).tolist():
            self._accounting.leave_out(reasons[code], int(counts[code]))
        self._remaining &= ~dropped

    def drop(self, dropped: NDArray[np.bool_], reason: str) -> NDArray[np.intp]:
        """Leave out rows (b,) for one reason, and return the positions of those that remained."""
        rows = np.flatnonzero(dropped & self._remaining)
        if len(rows):
            self._accounting.leave_out(reason, len(rows))
        self._remaining &= ~dropped
        return rows

    def refuse(self, column: str, cells: Categorical, faults: Sequence[str]) -> None:
        """Refuse the rows whose distinct text in `cells`, read from `column`, has a fault."""
        if not any(faults):
            return
        dropped = cells.where([bool(fault) for fault in faults]) & self._remaining
        for row in np.flatnonzero(dropped).tolist():
            code = int(cells.codes[row])
            value = cells.texts[code][:MAX_VALUE]
            self._accounting.refuse(RefusedRow(int(self._lines[row]), faults[code], column, value))
        self._remaining &= ~dropped

    def note(self, column: str, cells: Categorical, notes: Sequence[str], *, show: bool) -> None:
        """Note the remaining rows whose distinct text in `cells` has a note; "" is none.

        Values are part of the example where `show` holds.
        """
        if not any(notes):
            return
        noted = cells.where([bool(note) for note in notes]) & self._remaining
        rows = np.flatnonzero(noted)
        codes, first, counts = np.unique(cells.codes[rows], return_index=True, return_counts=True)
        for code, at, count in zip(codes.tolist(), first.tolist(), counts.tolist(), strict=True):
            value = cells.texts[code][:MAX_VALUE] if show else ""
            line = int(self._lines[rows[at]])
            self._accounting.note(RefusedRow(line, notes[code], column, value), count)

    def keep(self) -> NDArray[np.intp]:
        """Count the remaining rows as kept, and return their positions in the block."""
        rows = np.flatnonzero(self._remaining)
        self._accounting.kept += len(rows)
        return rows
