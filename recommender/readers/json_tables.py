"""JSON tables: objects of JSON lines, or of one array, with nested names.

Numbers stay as they are written. A name within an object is written `ecommerce.transaction_id`;
one within the objects of a list is `items[].item_id`. A record has a row for each element of the
list that an id is read from; of another list, such as `categories[].name`, the texts are lines of
one cell.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NoReturn

from recommender.errors import ConfigError
from recommender.readers.blocks import BLOCK_CHARACTERS, Block, Record, gather_blocks
from recommender.readers.columns import Header
from recommender.readers.files import InputFile
from recommender.readers.json_documents import JsonDocument
from recommender.readers.layouts import TextLayout
from recommender.readers.lines import MAX_LINE, TextLines, is_unicode, open_lines
from recommender.readers.row_accounting import RefusedRow, RowAccounting
from recommender.readers.tables import Table

NAMING_ROWS = 10_000
LIST = "[]."

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TYPE_NAMES = {bool: "a truth value", list: "a list", dict: "an object"}
Objects = Iterator[tuple[int, dict[str, Any]]]


class JsonTable:
    """A file of JSON objects; its columns are the names in its first rows.

    A missing name and null are empty texts, and a list of texts is its texts, one a line. A record
    that is not an object is refused, and so is a row with an object, another list, or for an id a
    list or a truth value, in a column that is read. A record
    without its list is one row where the names of the elements are next to it, and is left out
    otherwise. A `whole` document is an array of records, an object with one array of them, or JSON
    lines after all.
    """

    def __init__(self, lines: TextLines, accounting: RowAccounting, *, whole: bool = False) -> None:
        self._lines = lines
        self._accounting = accounting
        self._decoder = json.JSONDecoder(
            parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
        objects = self._read_document() if whole else self._read_objects(lines)
        first = []
        for entry in objects:
            first.append(entry)
            if len(first) == NAMING_ROWS or lines.characters > BLOCK_CHARACTERS:
                break
        self._objects: Objects = chain(first, objects)
        names = dict.fromkeys(name for _, values in first for name in values)
        nested = dict.fromkeys(path for _, values in first for path in _nested(values))
        short = {path.replace(LIST, "."): path for path in nested}
        self._paths = {name: name for name in nested} | short | {name: "" for name in names}
        self.header = Header(lines.shown, tuple(dict.fromkeys((*names, *nested, *short))))

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as in `Table`. Raises: ConfigError for names within two lists."""
        places = {name: place for place, name in enumerate(names)}
        return gather_blocks(self._records(names, ids), self._lines, len(names), places)

    def _records(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Record]:
        for line, values in self._rows(names, ids):
            texts = [values.get(name, "") for name in names]
            if all(type(text) is str for text in texts):
                yield line, texts
            elif self._holds_texts(line, dict(zip(names, texts, strict=True)), ids):
                yield line, [_text(text) for text in texts]

    def _rows(self, names: Sequence[str], ids: Collection[str]) -> Objects:
        """The records, or the rows of each, by the names that are asked for."""
        nested = {name: path for name in names if (path := self._paths[name])}
        lists = {
            path.partition(LIST)[0] for name, path in nested.items() if LIST in path and name in ids
        }
        if len(lists) > 1:
            raise ConfigError(
                f"{self.header.file}: {' and '.join(sorted(lists))} are two lists of a record; map "
                "columns of one of them"
            )
        within = {name: path for name, path in nested.items() if path.partition(LIST)[0] in lists}
        for line, values in self._objects:
            if not nested:
                yield line, values
                continue
            row = values | {
                name: _value_at(values, path) for name, path in nested.items() if name not in within
            }
            if not lists:
                yield line, row
                continue
            (inside,) = lists
            elements = _elements(values, inside, within.values())
            if not elements:
                self._accounting.leave_out(f"{inside} is empty", 1)
            for element in elements:
                yield (
                    line,
                    row
                    | {
                        name: _value_at(element, path.partition(LIST)[2])
                        for name, path in within.items()
                    },
                )

    def _holds_texts(self, line: int, values: dict[str, Any], ids: Collection[str]) -> bool:
        for name, value in values.items():
            refused = {bool, list, dict} if name in ids else {list, dict}
            if type(value) in refused and (name in ids or not _is_texts(value)):
                place = "an id" if name in ids else "a text"
                reason = f"{_TYPE_NAMES[type(value)]} in place of {place}"
                self._accounting.refuse(RefusedRow(line, reason, name))
                return False
        return True

    def _read_objects(self, lines: Iterable[str]) -> Objects:
        for line in lines:
            line = line.strip().removesuffix(",")
            if line in {"", "[", "]"}:
                continue
            reason, values = self._decoded(self._decoder, line)
            if reason:
                self._accounting.refuse(RefusedRow(self._lines.number, reason))
            else:
                yield self._lines.number, values

    def _read_document(self) -> Objects:
        """The records of an array, each with the line that it begins on."""
        lines = self._lines
        first, chunks = _first_line(lines.chunks())
        if first.lstrip().startswith("{"):
            record = first.partition("\n")[0]
            reason, values = self._decoded(self._decoder, record)
            if is_unicode(record) and not (reason or _is_document(values)):
                yield from self._read_objects(lines.lines(chunks))
                return
        for line, value, text in JsonDocument(chunks, lines, self._decoder).records():
            reason, values = self._checked(value, text)
            if reason:
                self._accounting.refuse(RefusedRow(line, reason))
            else:
                yield line, values

    def _decoded(self, decoder: json.JSONDecoder, line: str) -> tuple[str, dict[str, Any]]:
        if 0 < self._lines.undecodable == self._lines.number:
            return f"not {self._lines.encoding}", {}
        try:
            record = decoder.decode(line)
        except (ValueError, RecursionError):
            return "not JSON", {}
        return self._checked(record, line)

    def _checked(self, record: object, text: str) -> tuple[str, dict[str, Any]]:
        if not isinstance(record, dict):
            return "not a JSON object", {}
        if not record:
            return "an empty object", {}
        if _SURROGATE.search(text) and not is_unicode(json.dumps(record, ensure_ascii=False)):
            return "a lone surrogate", {}
        return "", record


@contextmanager
def open_json_table(
    file: InputFile, layout: TextLayout, accounting: RowAccounting
) -> Iterator[Table]:
    """Open a file of JSON lines or, where its ending is .json, of one JSON document."""
    with open_lines(file, layout.encoding, newline="\n") as lines:
        yield JsonTable(lines, accounting, whole=file.format == "json")


def _first_line(chunks: Iterator[str]) -> tuple[str, Iterator[str]]:
    """The text with the first line that is not blank, if it begins an object, and all chunks."""
    taken: list[str] = []
    for chunk in chunks:
        taken.append(chunk)
        text = "".join(taken).lstrip()
        if text and (text[0] != "{" or "\n" in text or len(text) > MAX_LINE):
            break
    return "".join(taken).lstrip(), chain(taken, chunks)


def _is_document(record: dict[str, Any]) -> bool:
    """Whether an object is the answer of an API in one line: its records have lists of their own.

    A list of lists cannot be read from a record.
    """
    lists = [value for value in record.values() if isinstance(value, list)]
    first = lists[0][0] if len(lists) == 1 and lists[0] else None
    return isinstance(first, dict) and any(
        isinstance(value, list) and value and type(value[0]) is dict for value in first.values()
    )


def _nested(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The names within the objects of a record, and within the first object of each list."""
    for name, value in values.items():
        if isinstance(value, dict):
            inner, mark = value, "."
        elif isinstance(value, list) and LIST not in prefix and value and type(value[0]) is dict:
            inner, mark = value[0], LIST
        else:
            if prefix:
                yield prefix + name
            continue
        yield from _nested(inner, f"{prefix}{name}{mark}")


def _value_at(values: object, path: str) -> object:
    """The value at a dotted path, "" where there is none; of a list, those of its elements."""
    outside, mark, inside = path.partition(LIST)
    if mark:
        elements = _value_at(values, outside)
        each = elements if isinstance(elements, list) else []
        return [value for element in each if (value := _value_at(element, inside))]
    for name in path.split("."):
        values = values.get(name, "") if isinstance(values, dict) else ""
    return values


def _elements(values: object, inside: str, paths: Iterable[str]) -> list[object]:
    """The elements of a list; without one, the object around it where that has their names."""
    elements = _value_at(values, inside)
    if isinstance(elements, list) and elements:
        return elements
    around = _value_at(values, inside.rpartition(".")[0]) if "." in inside else values
    within = [path.removeprefix(inside + LIST) for path in paths if path.startswith(inside + LIST)]
    return [around] if any(_value_at(around, path) not in ("", None) for path in within) else []


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _text(value: str | bool | list[str] | None) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(value)
    return "" if value is None else str(value).lower()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
