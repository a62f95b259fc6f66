"""Files of changes of items: a row, or a JSON object, for each change.

In JSON values have types. In tables they are texts: those of fields of a known type stay as they
are, a number, true or false of any other field becomes one, `null` removes what was changed, an
empty cell changes nothing, and the columns `stock.berlin` and `stock.bonn` are one stock.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recommender.errors import ConfigError, DataError
from recommender.readers.files import InputFile, fingerprint, input_files, unchanged
from recommender.readers.layouts import TextLayout
from recommender.readers.lines import open_lines
from recommender.readers.row_accounting import Quarantine
from recommender.readers.tables import TableReader

ID = "id"
STOCK = "stock."
NULL = "null"
_PLAIN = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?", re.ASCII)
_TRUTH = {"true": True, "false": False}


class ChangeRows:
    """The rows of a file, each with its line, as `checked_change` takes them.

    Fields in `texts` keep their texts. `unreadable` counts the rows that are not even a row, by
    reason, when all were read. Raises: ConfigError; DataError where the rest cannot be read.
    """

    def __init__(self, path: Path, texts: Collection[str]) -> None:
        files = input_files(str(path.absolute()), Path(), "items")
        if len(files) != 1:
            raise ConfigError(f"{path}: {len(files)} files; name one")
        self._file = files[0]
        self._texts = texts
        self.unreadable: Counter[str] = Counter()

    def __iter__(self) -> Iterator[tuple[int, object]]:
        if self._file.format == "jsonl":
            return self._lines()
        return self._array() if self._file.format == "json" else self._rows()

    def _lines(self) -> Iterator[tuple[int, object]]:
        with (
            unchanged(self._file, fingerprint(self._file)),
            open_lines(self._file, "utf-8", newline="\n") as lines,
        ):
            for line in lines:
                if not line.isspace():
                    yield lines.number, read_json(line)

    def _array(self) -> Iterator[tuple[int, object]]:
        with (
            unchanged(self._file, fingerprint(self._file)),
            open_lines(self._file, "utf-8", newline="\n") as lines,
        ):
            given = read_json("".join(lines))
        if isinstance(given, dict) and ID not in given and isinstance(given.get("items"), list):
            given = given["items"]
        if isinstance(given, str):
            yield from self._lines()
            return
        yield from enumerate(given if isinstance(given, list) else [given], 1)

    def _rows(self) -> Iterator[tuple[int, object]]:
        with TemporaryDirectory() as folder:
            quarantine = Quarantine(Path(folder, "quarantine"))
            reader = TableReader(quarantine, lambda _units: None, refused_share_max=1.0)
            try:
                with reader.open(self._file, TextLayout()) as table:
                    names = self._names(table.header.columns, self._file)
                    for block in table.blocks(names, {ID}):
                        columns = [block.cells[name].tolist() for name in names]
                        for line, *cells in zip(block.lines.tolist(), *columns, strict=True):
                            yield line, self._change(names, cells)
            finally:
                quarantine.end(keep=False)
        for report in reader.reports:
            self.unreadable.update(report.refused)

    @staticmethod
    def _names(columns: tuple[str, ...], file: InputFile) -> tuple[str, ...]:
        if ID not in columns:
            raise DataError(f"{file.shown}: no column {ID}; it has {', '.join(columns)[:200]}")
        if repeated := [name for name, count in Counter(columns).items() if count > 1]:
            raise DataError(f"{file.shown}: the header names {repeated[0]!r:.60} twice; rename one")
        return tuple(name for name in columns if name)

    def _change(self, names: tuple[str, ...], cells: list[str]) -> dict[str, Any]:
        change: dict[str, Any] = {}
        for name, cell in zip(names, cells, strict=True):
            if name == ID:
                change[ID] = cell
            elif not cell:
                continue
            elif name.startswith(STOCK):
                change.setdefault("stock", {})[name.removeprefix(STOCK)] = cell
            elif cell == NULL:
                change[name] = None
            else:
                change[name] = cell if name in self._texts else _typed(cell)
        return change


def read_json(text: str) -> object:
    """The value of a JSON text, or the text itself where it is none."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _typed(cell: str) -> str | float | bool:
    if cell in _TRUTH:
        return _TRUTH[cell]
    if _PLAIN.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return cell
