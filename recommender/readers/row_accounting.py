"""Row accounting: every row of a file is kept, left out by a setting, or refused as malformed."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from recommender.errors import DataError
from recommender.readers.files import Fingerprint, InputFile
from recommender.readers.joining import Join

MAX_VALUE = 100
MAX_REASONS = 50
MAX_SHOWN = 8
MAX_ROWS = 1_000_000
"""How many refused rows a quarantine holds; the others are counted."""
OTHER = "other reasons"
REMEDIES = {
    "not UTF-8": 'set encoding, such as "cp1252" or "utf-16"',
    "fields,": "set delimiter, or quote the fields that have one in them",
    "a quote that": 'double quotes within a field, or set escape = "\\\\" if they have a backslash',
    "is not an ISO 8601": 'set time_format, such as "day-first", "%d.%m.%Y %H:%M" or "epoch"',
    "not JSON": "write one object a line, or name the file .json if it is one document",
    "is not epoch": 'set time_format to the format of these times, or "" for ISO 8601',
    "is not a time like": "set time_format, to a list if the column has several formats",
    "quantity is": "correct columns.quantity, or unset quantity_above",
    "price is": "correct columns.price, or unset price_above",
    "item id: a control": 'set ids.split if a cell has several ids, such as "\\n"',
    "item id: longer": "set ids.split if a cell has several ids",
    "item id: empty": "export the ids, or map columns.item to the column that has them",
}
"""What to do about the rows refused for a reason, by a part of it."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A malformed row: its first line, the reason, and the value at fault without its row.

    `line` is a line of a text file or a row of a Parquet file, both from 1. `column` and `value`
    are empty where the row as a whole is at fault. A value is never one of the user column.
    """

    line: int
    reason: str
    column: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class FileReport:
    """The rows of one file: rows = kept + left out + refused.

    `left_out` and `refused` count rows by reason; `examples` holds the first row refused for each
    reason. A malformed record counts as many rows as it has lines.
    """

    key: str
    name: str
    sha256: str
    rows: int
    kept: int
    left_out: Mapping[str, int]
    refused: Mapping[str, int]
    examples: tuple[RefusedRow, ...]
    noted: Mapping[str, int] = field(default_factory=dict)
    noted_examples: tuple[RefusedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was read from all files.

    Of the n items, `cold_items` have no interaction of positive weight, `absent_from_catalogue`
    occur only in interactions, and `shortened` had a text that was cut. `out_of_scope` counts the
    items that the scope left out, `duplicate_ids` the catalogue rows that repeat the id of another,
    and `too_old` the kept rows that are older than the retention.

    `not_for_sale` counts the items that the catalogue hides, `in_several_categories` those with
    several, `of_cancelled_orders` and `returned` the kept rows that were taken back, `after_as_of`
    the rows whose time was clipped, and `of_variants` the rows of hidden variants that count for
    their product. `n_catalogue_events` are the interactions with items of the catalogue; `joins`
    has what each source has in common with it. `boilerplate` has the sentences that many
    descriptions share, by how many lost them. `warnings` are for people.
    """

    files: tuple[FileReport, ...]
    n_items: int
    n_interactions: int
    cold_items: int
    absent_from_catalogue: int
    duplicate_ids: int
    shortened: int
    out_of_scope: int
    too_old: int
    not_for_sale: int = 0
    of_cancelled_orders: int = 0
    returned: int = 0
    after_as_of: int = 0
    of_variants: int = 0
    n_catalogue_events: int = 0
    in_several_categories: int = 0
    boilerplate: Mapping[str, int] = field(default_factory=dict)
    joins: tuple[Join, ...] = ()
    warnings: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self)


class Quarantine:
    """The refused rows of one run as JSON lines, for the people who fix the data.

    Rows are written to a temporary file next to `path`, which replaces it at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = 0
        self._stream: IO[str] | None = None

    def add(self, key: str, name: str, row: RefusedRow) -> None:
        """Write a refused row of the input `key`, the file `name`, one of the first `MAX_ROWS`."""
        self._rows += 1
        if self._rows > MAX_ROWS:
            return
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = NamedTemporaryFile(  # noqa: SIM115
                "w", encoding="ascii", dir=self.path.parent, prefix=".quarantine-", delete=False
            )
        self._stream.write(json.dumps({"input": key, "file": name} | asdict(row)) + "\n")

    def end(self, *, keep: bool) -> None:
        """With `keep`, `path` has the rows of this run afterwards, or is gone without any."""
        stream = self._stream
        if stream is None and keep:
            self.path.unlink(missing_ok=True)
        if stream is None:
            return
        try:
            if keep:
                stream.flush()
                os.fsync(stream.fileno())
                Path(stream.name).replace(self.path)
        finally:
            with suppress(OSError):
                stream.close()
            Path(stream.name).unlink(missing_ok=True)


@contextmanager
def open_quarantine(path: Path) -> Iterator[Quarantine]:
    """A quarantine that is kept after success or DataError; otherwise `path` stays as it was."""
    quarantine, keep = Quarantine(path), False
    try:
        yield quarantine
        keep = True
    except DataError:
        keep = True
        raise
    finally:
        quarantine.end(keep=keep)


class RowAccounting:
    """Counts the rows of one file that are kept, left out and refused; each row counts once."""

    def __init__(self, file: InputFile, quarantine: Quarantine) -> None:
        self.file = file
        self.kept = 0
        self._quarantine = quarantine
        self._left_out: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._examples: dict[str, RefusedRow] = {}
        self._noted: Counter[str] = Counter()
        self._noted_examples: dict[str, RefusedRow] = {}

    @property
    def rows(self) -> int:
        """The number of rows counted so far."""
        return self.kept + self._left_out.total() + self._refused.total()

    def examples(self) -> tuple[RefusedRow, ...]:
        """The first row refused for each reason so far."""
        return tuple(self._examples.values())

    def leave_out(self, reason: str, rows: int) -> None:
        """Count rows that a setting leaves out."""
        self._left_out[_bounded(reason, self._left_out)] += rows

    def refuse(self, row: RefusedRow, lines: int = 1) -> None:
        """Quarantine a malformed row and count it once for each of its lines."""
        reason = _bounded(row.reason, self._refused)
        self._refused[reason] += lines
        self._examples.setdefault(reason, row)
        self._quarantine.add(self.file.key, self.file.path.name, row)

    def note(self, row: RefusedRow, rows: int = 1) -> None:
        """Count rows in which a value was repaired or is unknown, with the first as an example."""
        reason = _bounded(row.reason, self._noted)
        self._noted[reason] += rows
        self._noted_examples.setdefault(reason, row)

    def report(self, before: Fingerprint, refused_share_max: float) -> FileReport:
        """The report of a file that was read to its end.

        Raises: DataError where more than `refused_share_max` of the rows were refused.
        """
        refused = self._refused.total()
        if refused > refused_share_max * self.rows:
            raise DataError(self._too_many(refused, refused_share_max))
        return FileReport(
            key=self.file.key,
            name=self.file.path.name,
            sha256=before.sha256,
            rows=self.rows,
            kept=self.kept,
            left_out=dict(sorted(self._left_out.items())),
            refused=dict(sorted(self._refused.items())),
            examples=self.examples(),
            noted=dict(sorted(self._noted.items())),
            noted_examples=tuple(self._noted_examples.values()),
        )

    def _too_many(self, refused: int, allowed: float) -> str:
        """All reasons, the most frequent first, each with an example and what to do."""
        ranked = self._refused.most_common()
        shown = "; ".join(self._explained(reason, count) for reason, count in ranked[:MAX_SHOWN])
        more = f"; and {len(ranked) - MAX_SHOWN} more reasons" if len(ranked) > MAX_SHOWN else ""
        return (
            f"{self.file.shown}: {refused:,} of {self.rows:,} rows refused "
            f"({refused / self.rows:.1%}, refused_share_max is {allowed:.1%}): {shown}{more}. "
            f"The rows are listed in {self._quarantine.path}; correct them or the settings, or "
            "raise refused_share_max"
        )

    def _explained(self, reason: str, count: int) -> str:
        first = self._examples[reason]
        value = f", value {first.value!r}" if first.column else ""
        remedy = next((text for part, text in REMEDIES.items() if part in reason), "")
        return (
            f"{reason} ({count:,}; first: {self.file.unit} {first.line:,}{value})"
            f"{': ' if remedy else ''}{remedy}"
        )


def _bounded(reason: str, counts: Counter[str]) -> str:
    return reason if reason in counts or len(counts) < MAX_REASONS else OTHER
