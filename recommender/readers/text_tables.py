"""Text tables: CSV, TSV and TXT, read record by record so that columns never shift."""

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from recommender.errors import ConfigError, DataError
from recommender.readers.blocks import Block, Record, gather_blocks
from recommender.readers.columns import Header
from recommender.readers.files import InputFile
from recommender.readers.layouts import TextLayout
from recommender.readers.lines import MAX_LINE, TextLines, open_lines
from recommender.readers.plain_rows import PlainRows, PlainSplitter
from recommender.readers.row_accounting import RefusedRow, RowAccounting
from recommender.readers.tables import Table

MISPLACED = "a quote that is neither doubled nor at the end of its field"
_DELIMITERS = (",", ";", "\t", "|")
_UNUSUAL = ("^", "~", "\x01", "\xa6")
_USUAL = {"csv": ",", "tsv": "\t"}
_UNCLOSED = "unexpected end of data"
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*")


class DelimitedTable:
    """A CSV or TSV file whose first row, or the layout, names its columns.

    A row is refused where its number of fields differs from the header, a quote is misplaced or
    bytes do not decode; it counts as many rows as it has lines. Empty fields behind the last column
    do no harm. Rows without a value are skipped, and so are a line `sep=;` and lines that begin
    with # and have no delimiter before the header.
    """

    def __init__(
        self, lines: TextLines, layout: TextLayout, accounting: RowAccounting, usual: str = ","
    ) -> None:
        self._lines = lines
        self._accounting = accounting
        self._comment = layout.comment
        self._inside = False
        self._start, self._begun = 1, 0
        delimiter, rest = _begun(lines, layout, usual)
        self._delimiter, self._escape = delimiter, layout.escape
        rest = self._bounded(rest)
        escape = layout.escape or None
        if escape == "\\":
            null = re.compile(
                rf"(?:^|(?<={re.escape(delimiter)}))\\N(?={re.escape(delimiter)}|\s*$)"
            )
            rest = (null.sub(r"\\\\N", line) if "\\N" in line else line for line in rest)
        self._reader = csv.reader(
            self._without_comments(rest) if self._comment else rest,
            delimiter=delimiter,
            escapechar=escape,
            strict=True,
        )
        if layout.header:
            self.header = Header(lines.shown, layout.header)
        else:
            self.header = _read_header(self._reader, lines, delimiter)

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as in `Table`; every cell is text, so `ids` has no effect."""
        width = len(self.header.columns)
        places = {name: self.header.columns.index(name) for name in names}
        splitter = PlainSplitter(
            self._delimiter, width, places, self._comment, self._escape, MAX_LINE
        )
        return gather_blocks(self._rows(splitter, width), self._lines, width, places)

    def _rows(self, splitter: PlainSplitter, width: int) -> Iterator[Record | PlainRows]:
        """The records and, many at once, the plain rows, in the order of their lines."""
        lines = self._lines
        while text := lines.ahead():
            number, end = lines.number, lines.characters + len(text)
            found = splitter.split(text, number, lines.characters)
            while lines.characters < end:
                plain = found and found.rows_from(lines.number - number)
                if plain:
                    lines.skip(len(plain), int(plain.ends[-1]) - lines.characters)
                    yield plain
                elif record := self._record(width):
                    yield record

    def _record(self, width: int) -> Record | None:
        """The next record; None where it is refused, has no value, or there is none."""
        lines = self._lines
        start = lines.number + 1
        self._inside = False
        self._start, self._begun = start, lines.characters
        try:
            fields = next(self._reader, [])
        except csv.Error as error:
            self._refuse(start, self._malformed(start, error))
            return None
        if lines.undecodable >= start:
            self._refuse(start, f"not {lines.encoding}")
        elif len(fields) >= width and any(fields) and not any(fields[width:]):
            return start, fields[:width]
        elif any(fields):
            self._refuse(start, f"{len(fields)} fields, {width} expected")
        return None

    def _bounded(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines, while a record, and so a field, is not longer than `MAX_LINE`."""
        for line in lines:
            if self._lines.characters - self._begun > MAX_LINE:
                raise DataError(
                    f"{self._lines.shown} line {self._start:,}: a row longer than {MAX_LINE:,} "
                    "characters; does a quote open in it that never closes? Double a quote within "
                    "a field, set escape, or export the file again"
                )
            yield line

    def _without_comments(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines but those that begin with the comment mark where a record would begin."""
        for line in lines:
            if self._inside or not line.startswith(self._comment):
                self._inside = True
                yield line

    def _refuse(self, start: int, reason: str) -> None:
        self._accounting.refuse(RefusedRow(start, reason), lines=self._lines.number - start + 1)

    def _malformed(self, start: int, error: csv.Error) -> str:
        if str(error) == _UNCLOSED:
            raise DataError(
                f"{self._lines.shown} line {start:,}: a quote opens in this row and never "
                f"closes (the file ends on line {self._lines.number:,}); close it, double a quote "
                "within a field, or export the file again"
            ) from error
        return MISPLACED


@contextmanager
def open_text_table(
    file: InputFile, layout: TextLayout, accounting: RowAccounting
) -> Iterator[Table]:
    """Open a text file. Raises: DataError or ConfigError where its header is unusable."""
    before = csv.field_size_limit(MAX_LINE)
    try:
        with open_lines(file, layout.encoding, newline="") as lines:
            yield DelimitedTable(lines, layout, accounting, usual=_USUAL.get(file.format, ""))
    finally:
        csv.field_size_limit(before)


def _begun(lines: TextLines, layout: TextLayout, usual: str) -> tuple[str, Iterator[str]]:
    """The delimiter, and the lines from the header, or the first row, on.

    Without a `usual` delimiter, it is the one that the first line has most often.
    """
    rest = islice(lines, layout.skip_lines, None)
    first = next(rest, "")
    delimiter = layout.delimiter
    if separator := _SEPARATOR_LINE.fullmatch(first):
        delimiter, first = delimiter or separator[1], next(rest, "")
    marks = (delimiter or usual,) if delimiter or usual else _DELIMITERS
    while first.startswith("#") and not any(mark in first for mark in marks):
        first = next(rest, "")
    if not (delimiter or usual):
        usual = max(_DELIMITERS, key=first.count)
    if first:
        lines.skip(-1, -len(first))
    return delimiter or usual, rest


def _read_header(reader: Iterator[list[str]], lines: TextLines, delimiter: str) -> Header:
    try:
        columns = next((fields for fields in reader if any(fields)), None)
    except csv.Error as error:
        raise DataError(f"{lines.shown}: the header has a misplaced quote; fix it") from error
    if columns is None:
        raise DataError(f"{lines.shown} is empty and has no header; export it again")
    if lines.undecodable:
        raise DataError(
            f'{lines.shown}: the header is not {lines.encoding}; set encoding, for example "cp1252"'
        )
    marks = (*_DELIMITERS, *_UNUSUAL)
    others = [other for other in marks if other != delimiter and other in columns[0]]
    if len(columns) == 1 and others:
        raise ConfigError(
            f"{lines.shown}: the header is one column, {columns[0][:100]!r}; "
            f"set delimiter = {others[0]!r}"
        )
    return Header(lines.shown, tuple(column.strip() for column in columns))
