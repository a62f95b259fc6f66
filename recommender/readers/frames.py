"""Data frames as inputs: written to a Parquet file, they are read as any other file."""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from recommender.errors import DataError

_INDEX = "__index_level_"
"""What the column of an index of pandas without a name begins with."""


class Frame(Protocol):
    """A data frame that other libraries can read: of pandas, Polars, PyArrow, DuckDB, narwhals."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The frame as a stream of Arrow."""
        ...


def table_of(frame: Frame, name: str) -> pa.Table:
    """The frame as a table; an index of pandas counts as columns where it has names.

    Raises: DataError, with the `name` of the frame, where it is none or a column holds values of
    several types.
    """
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        cause = " ".join(map(str, error.args))
        raise DataError(
            f"{name}: not a data frame of plain columns ({cause}); store each column as one type, "
            "such as frame.astype({'item_id': str})"
        ) from error
    return table.select([name for name in table.column_names if not name.startswith(_INDEX)])


def write_table(table: pa.Table, path: Path, ids: Collection[str]) -> None:
    """Write a table to a Parquet file; columns of `ids` that are whole floats as integers.

    pandas stores whole numbers with gaps as floats. What makes no difference to readers, such as
    which library made the frame, is left out, so that equal rows are equal bytes.
    """
    for place, name in enumerate(table.column_names):
        if name in ids and types.is_floating(table.field(place).type):
            table = table.set_column(place, name, _whole(table.column(place)))
    pq.write_table(table.replace_schema_metadata(None), path)


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as whole numbers, or as it is where some are not."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column
