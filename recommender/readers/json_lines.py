"""JSON lines: one object on each line; numbers stay as they are written."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NoReturn

from recommender.readers.columns import Header
from recommender.readers.files import InputFile, TextLines, is_unicode, open_lines
from recommender.readers.row_accounting import RefusedRow, RowAccounting
from recommender.readers.tables import BLOCK_CHARACTERS, Block, Record, gather_blocks

NAMING_ROWS = 10_000

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
Objects = Iterator[tuple[int, dict[str, Any]]]


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
def open_json_lines(
    file: InputFile, encoding: str, accounting: RowAccounting
) -> Iterator[JsonLinesTable]:
    """Open a file of JSON lines."""
    with open_lines(file, encoding, newline="\n") as lines:
        yield JsonLinesTable(lines, accounting)


_TYPE_NAMES = {bool: "a truth value", list: "a list", dict: "an object"}


def _text(value: str | bool | None) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else str(value).lower()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
