"""Text tables: CSV and TSV, read record by record so that columns never shift, and JSON lines.

Of JSON lines, one object is on each line; numbers stay as they are written.
"""

import csv
import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NoReturn

from recommender.errors import ConfigError, DataError
from recommender.readers.columns import Header
from recommender.readers.files import MAX_LINE, InputFile, TextLines, is_unicode, open_lines
from recommender.readers.row_accounting import RefusedRow, RowAccounting
from recommender.readers.tables import BLOCK_CHARACTERS, Block, Record, Table, gather_blocks

NAMING_ROWS = 10_000

_DELIMITERS = (",", ";", "\t", "|")
_UNCLOSED = "unexpected end of data"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TYPE_NAMES = {bool: "a truth value", list: "a list", dict: "an object"}
Objects = Iterator[tuple[int, dict[str, Any]]]


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


class JsonLinesTable:
    """A file of JSON objects; its columns are the names in its first rows.

    A missing name and null are empty texts. A line that is not an object is refused, and so is a
    row with an object, a list or (for an id) a truth value in a column that is read.
    """

    def __init__(self, lines: TextLines, accounting: RowAccounting) -> None:
        self._lines = lines
        self._accounting = accounting
        objects = self._read_objects()
        first = []
        for entry in objects:
            first.append(entry)
            if len(first) == NAMING_ROWS or lines.characters > BLOCK_CHARACTERS:
                break
        self._objects: Objects = chain(first, objects)
        names = dict.fromkeys(name for _, values in first for name in values)
        self.header = Header(lines.shown, tuple(names))

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as in `Table`."""
        places = {name: place for place, name in enumerate(names)}
        return gather_blocks(self._records(names, ids), self._lines, len(names), places)

    def _records(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Record]:
        for line, values in self._objects:
            texts = [values.get(name, "") for name in names]
            if all(type(text) is str for text in texts):
                yield line, texts
            elif self._holds_texts(line, dict(zip(names, texts, strict=True)), ids):
                yield line, [_text(text) for text in texts]

    def _holds_texts(self, line: int, values: dict[str, Any], ids: Collection[str]) -> bool:
        for name, value in values.items():
            refused = {bool, list, dict} if name in ids else {list, dict}
            if type(value) in refused:
                place = "an id" if name in ids else "a text"
                reason = f"{_TYPE_NAMES[type(value)]} in place of {place}"
                self._accounting.refuse(RefusedRow(line, reason, name))
                return False
        return True

    def _read_objects(self) -> Objects:
        decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)
        for line in self._lines:
            if line.isspace():
                continue
            reason, values = self._decoded(decoder, line)
            if reason:
                self._accounting.refuse(RefusedRow(self._lines.number, reason))
            else:
                yield self._lines.number, values

    def _decoded(self, decoder: json.JSONDecoder, line: str) -> tuple[str, dict[str, Any]]:
        if self._lines.undecodable == self._lines.number:
            return f"not {self._lines.encoding}", {}
        try:
            record = decoder.decode(line)
        except (ValueError, RecursionError):
            return "not JSON", {}
        if not isinstance(record, dict):
            return "not a JSON object", {}
        if not record:
            return "an empty object", {}
        if _SURROGATE.search(line) and not is_unicode(json.dumps(record, ensure_ascii=False)):
            return "a lone surrogate", {}
        return "", record


@contextmanager
def open_text_table(
    file: InputFile, delimiter: str, encoding: str, accounting: RowAccounting
) -> Iterator[Table]:
    """Open a text file. Raises: DataError or ConfigError where its header is unusable."""
    is_json = file.format == "jsonl"
    fallback = "\t" if file.format == "tsv" else ","
    before = csv.field_size_limit(MAX_LINE)
    try:
        with open_lines(file, encoding, newline="\n" if is_json else "") as lines:
            if is_json:
                yield JsonLinesTable(lines, accounting)
            else:
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


def _text(value: str | bool | None) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else str(value).lower()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
