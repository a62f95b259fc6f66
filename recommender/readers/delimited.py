"""Delimited tables: CSV and TSV, read record by record so that columns never shift."""

import csv
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from recommender.errors import ConfigError, DataError
from recommender.readers.columns import Header
from recommender.readers.files import MAX_LINE, InputFile, TextLines, open_lines
from recommender.readers.row_accounting import RefusedRow, RowAccounting
from recommender.readers.tables import Block, Record, gather_blocks

_DELIMITERS = (",", ";", "\t", "|")
_UNCLOSED = "unexpected end of data"


class DelimitedTable:
    """A CSV or TSV file whose first row names its columns.

    A row is refused where its number of fields differs from the header, a quote is misplaced or
    bytes do not decode; it counts as many rows as it has lines.
    """

    def __init__(self, lines: TextLines, delimiter: str, accounting: RowAccounting) -> None:
        self._lines = lines
        self._accounting = accounting
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self.header = _read_header(self._reader, lines, delimiter)

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as in `Table`; every cell is text, so `ids` has no effect."""
        places = {name: self.header.columns.index(name) for name in names}
        return gather_blocks(self._records(), self._lines, len(self.header.columns), places)

    def _records(self) -> Iterator[Record]:
        width = len(self.header.columns)
        reader, lines = self._reader, self._lines
        while True:
            start = lines.number + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._refuse(start, self._malformed(start, error))
                continue
            if lines.undecodable >= start:
                self._refuse(start, f"not {lines.encoding}")
            elif len(fields) == width:
                yield start, fields
            elif fields:
                self._refuse(start, f"{len(fields)} fields, {width} expected")

    def _refuse(self, start: int, reason: str) -> None:
        self._accounting.refuse(RefusedRow(start, reason), lines=self._lines.number - start + 1)

    def _malformed(self, start: int, error: csv.Error) -> str:
        if str(error) == _UNCLOSED:
            raise DataError(
                f"{self._lines.shown} line {start:,}: a quote opens in this row and never "
                f"closes (the file ends on line {self._lines.number:,}); close it, double a quote "
                "within a field, or export the file again"
            ) from error
        if "field limit" in str(error):
            return f"a field longer than {MAX_LINE:,} characters, or an unclosed quote"
        return "a quote that is neither doubled nor at the end of its field"


@contextmanager
def open_delimited(
    file: InputFile, delimiter: str, encoding: str, accounting: RowAccounting
) -> Iterator[DelimitedTable]:
    """Open a CSV or TSV file. Raises: DataError or ConfigError where its header is unusable."""
    fallback = "\t" if file.format == "tsv" else ","
    before = csv.field_size_limit(MAX_LINE)
    try:
        with open_lines(file, encoding, newline="") as lines:
            yield DelimitedTable(lines, delimiter or fallback, accounting)
    finally:
        csv.field_size_limit(before)


def _read_header(reader: Iterator[list[str]], lines: TextLines, delimiter: str) -> Header:
    try:
        columns = next((fields for fields in reader if fields), None)
    except csv.Error as error:
        raise DataError(f"{lines.shown}: the header has a misplaced quote; fix it") from error
    if columns is None:
        raise DataError(f"{lines.shown} is empty and has no header; export it again")
    if lines.undecodable:
        raise DataError(
            f'{lines.shown}: the header is not {lines.encoding}; set encoding, for example "cp1252"'
        )
    others = [other for other in _DELIMITERS if other != delimiter and other in columns[0]]
    if len(columns) == 1 and others:
        raise ConfigError(
            f"{lines.shown}: the header is one column, {columns[0][:100]!r}; "
            f"set delimiter = {others[0]!r}"
        )
    return Header(lines.shown, tuple(column.strip() for column in columns))
