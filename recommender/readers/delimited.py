"""Delimited tables: CSV and TSV, read record by record so that no column ever shifts."""

import csv
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from recommender.errors import ConfigError, DataError
from recommender.readers.blocks import Block, Record, gathered
from recommender.readers.files import InputFile
from recommender.readers.header import Header
from recommender.readers.lines import MAX_LINE, Lines, is_utf8, opened_lines
from recommender.readers.quarantine import RefusedRow
from recommender.readers.row_accounting import Ledger

_DELIMITERS = (",", ";", "\t", "|")
_UNCLOSED = "unexpected end of data"


class DelimitedTable:
    """A CSV or TSV file whose first row names its columns.

    A row with another number of fields than the header, with a misplaced quote or with bytes
    outside of the encoding is refused, and counts as many rows as it has lines.
    """

    def __init__(self, lines: Lines, delimiter: str, encoding: str, ledger: Ledger) -> None:
        self._lines = lines
        self._encoding = "UTF-8" if is_utf8(encoding) else encoding
        self._ledger = ledger
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self.header = _header(self._reader, lines, delimiter, ledger.file.shown, self._encoding)

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as `Table` says; all cells are text, so `ids` changes nothing."""
        places = {name: self.header.columns.index(name) for name in names}
        return gathered(self._records(), self._lines, len(self.header.columns), places)

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
                self._refuse(start, f"not {self._encoding}")
            elif len(fields) == width:
                yield start, fields
            elif fields:
                self._refuse(start, f"{len(fields)} fields, {width} expected")

    def _refuse(self, start: int, reason: str) -> None:
        self._ledger.refuse(RefusedRow(start, reason), lines=self._lines.number - start + 1)

    def _malformed(self, start: int, error: csv.Error) -> str:
        if str(error) == _UNCLOSED:
            raise DataError(
                f"{self._ledger.file.shown} line {start:,}: a quote opens in this row and never "
                f"closes (the file ends on line {self._lines.number:,}); close it, write a quote "
                "within a field twice, or deliver the file again"
            ) from error
        if "field limit" in str(error):
            return f"a field longer than {MAX_LINE:,} characters, or an unclosed quote"
        return "a quote that is neither doubled nor at the end of its field"


@contextmanager
def opened_delimited(
    file: InputFile, delimiter: str, encoding: str, ledger: Ledger
) -> Iterator[DelimitedTable]:
    """Open a CSV or TSV file. Raises: DataError or ConfigError where its header is unusable."""
    fallback = "\t" if file.format == "tsv" else ","
    before = csv.field_size_limit(MAX_LINE)
    try:
        with opened_lines(file, encoding, newline="") as lines:
            yield DelimitedTable(lines, delimiter or fallback, encoding, ledger)
    finally:
        csv.field_size_limit(before)


def _header(
    reader: Iterator[list[str]], lines: Lines, delimiter: str, shown: str, encoding: str
) -> Header:
    try:
        columns = next((fields for fields in reader if fields), None)
    except csv.Error as error:
        raise DataError(f"{shown}: the header has a misplaced quote; mend it") from error
    if columns is None:
        raise DataError(f"{shown} is empty: not even a header; deliver it again")
    if lines.undecodable:
        raise DataError(f'{shown}: the header is not {encoding}; set encoding, say to "cp1252"')
    others = [other for other in _DELIMITERS if other != delimiter and other in columns[0]]
    if len(columns) == 1 and others:
        raise ConfigError(
            f"{shown}: the header is one column, {columns[0][:100]!r}; "
            f"set delimiter = {others[0]!r}"
        )
    return Header(shown, tuple(column.strip() for column in columns))
