"""Lists that another system made: a table with one row per entry."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recommender.errors import ConfigError, DataError

ITEM, RELATED = ("item", "item_id"), ("related", "related_id", "related_item")
ORDER = ("score", "rank")

Entries = tuple[list[str], list[str], NDArray[np.float32]]


def read_lists(path: Path) -> Entries:
    """The items that ask, what is shown, and a score (e,), larger for what comes first.

    The columns are `item`, `related`, and `score` or `rank`; a rank r, from 1, is read as the
    score 1 / r. CSV with a header, or Parquet where the name ends so.

    Raises: ConfigError where there is no such file; DataError where it is not such a table.
    """
    if not path.is_file():
        raise ConfigError(f"lists {path}: no such file")
    header, columns = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    item, related = _place(path, header, ITEM), _place(path, header, RELATED)
    order = _place(path, header, ORDER)
    values = _numbers(path, header[order], columns[order])
    if header[order] == "rank":
        if (values < 1).any():
            raise DataError(f"{path}: a rank below 1; the first entry has rank 1")
        values = 1 / values
    return columns[item], columns[related], values.astype(np.float32)


def _csv(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _rows(path, csv.reader(file, strict=True))
            header = next(rows, [])
            columns = [list(column) for column in zip(*rows, strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error
    if not columns:
        raise DataError(f"{path}: no entries; a header and rows are needed")
    return header, columns


def _rows(path: Path, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    width = 0
    for number, row in enumerate(rows, 1):
        width = width or len(row)
        if len(row) != width:
            raise DataError(f"{path}, row {number}: {len(row)} fields, {width} expected")
        yield row


def _parquet(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        table = pq.read_table(path)
        return table.column_names, [
            column.cast(pa.string()).fill_null("").to_pylist() for column in table.columns
        ]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file of plain columns: {error}") from error


def _place(path: Path, header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise DataError(f"{path}: no column {' or '.join(names)}; it has {', '.join(header)}")


def _numbers(path: Path, name: str, texts: list[str]) -> NDArray[np.float64]:
    try:
        return np.array(texts, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}, column {name}: {error}") from error
