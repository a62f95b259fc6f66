"""Ledger: what becomes of the rows of one file while it is read."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.errors import DataError
from recommender.readers.files import Fingerprint, InputFile
from recommender.readers.quarantine import MAX_VALUE, Quarantine, RefusedRow
from recommender.readers.report import FileReport
from recommender.readers.values import Distinct

MAX_REASONS = 50
OTHER = "other reasons"


class Ledger:
    """Counts of the rows of one file by what became of them; each row is entered once."""

    def __init__(self, file: InputFile, quarantine: Quarantine) -> None:
        self.file = file
        self.kept = 0
        self._quarantine = quarantine
        self._left_out: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._examples: dict[str, RefusedRow] = {}

    @property
    def rows(self) -> int:
        """Rows entered so far."""
        return self.kept + self._left_out.total() + self._refused.total()

    def leave_out(self, reason: str, rows: int) -> None:
        """Enter rows that a setting leaves out."""
        self._left_out[_bounded(reason, self._left_out)] += rows

    def refuse(self, row: RefusedRow, lines: int = 1) -> None:
        """Enter a malformed row, which counts as its lines, and quarantine it."""
        reason = _bounded(row.reason, self._refused)
        self._refused[reason] += lines
        self._examples.setdefault(reason, row)
        self._quarantine.add(self.file.key, self.file.name, row)

    def report(self, before: Fingerprint, refused_share_max: float) -> FileReport:
        """The counts of a file that was read to its end.

        Raises: DataError where more than `refused_share_max` of the rows were refused.
        """
        refused = self._refused.total()
        if refused > refused_share_max * self.rows:
            raise DataError(self._complaint(refused, refused_share_max))
        return FileReport(
            key=self.file.key,
            name=self.file.name,
            sha256=before.sha256,
            rows=self.rows,
            kept=self.kept,
            left_out=dict(sorted(self._left_out.items())),
            refused=dict(sorted(self._refused.items())),
            examples=tuple(self._examples.values()),
        )

    def _complaint(self, refused: int, allowed: float) -> str:
        reason = self._refused.most_common(1)[0][0]
        first = self._examples[reason]
        value = f", value {first.value!r}" if first.column else ""
        hint = 'set encoding = "cp1252" if that is what it is; ' if reason == "not UTF-8" else ""
        return (
            f"{self.file.shown}: {refused:,} of {self.rows:,} rows refused "
            f"({refused / self.rows:.1%}, refused_share_max is {allowed:.1%}); most often: "
            f"{reason} (first: {self.file.unit} {first.line:,}{value}); {hint}"
            f"mend the rows listed in {self._quarantine.path}, or raise refused_share_max"
        )


class Verdicts:
    """Which of the b rows of a block still stand; a row falls once, for its first reason."""

    def __init__(self, lines: NDArray[np.int64], ledger: Ledger) -> None:
        self.standing = np.ones(len(lines), dtype=bool)
        self._lines = lines
        self._ledger = ledger

    def leave_out(self, cells: Distinct, reasons: Sequence[str]) -> None:
        """Leave out the rows whose text, of `cells`, has a reason; "" is none."""
        fallen = cells.where([bool(reason) for reason in reasons]) & self.standing
        counts = np.bincount(cells.codes[fallen], minlength=len(reasons))
        for code in np.flatnonzero(counts).tolist():
            self._ledger.leave_out(reasons[code], int(counts[code]))
        self.standing &= ~fallen

    def refuse(self, column: str, cells: Distinct, faults: Sequence[str]) -> None:
        """Refuse and quarantine the rows whose text, of the shop's `column`, has a fault."""
        fallen = cells.where([bool(fault) for fault in faults]) & self.standing
        for row in np.flatnonzero(fallen).tolist():
            code = int(cells.codes[row])
            value = cells.texts[code][:MAX_VALUE]
            self._ledger.refuse(RefusedRow(int(self._lines[row]), faults[code], column, value))
        self.standing &= ~fallen

    def kept(self) -> NDArray[np.intp]:
        """Enter the rows that stand as kept, and return their places in the block."""
        places = np.flatnonzero(self.standing)
        self._ledger.kept += len(places)
        return places


def _bounded(reason: str, counts: Counter[str]) -> str:
    return reason if reason in counts or len(counts) < MAX_REASONS else OTHER
