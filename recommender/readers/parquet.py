"""Parquet tables: columns of any plain type, read as text, and lists of texts, as lines."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import types

from recommender.errors import DataError
from recommender.readers.blocks import BLOCK_ROWS, Block
from recommender.readers.columns import Header
from recommender.readers.files import InputFile


class ParquetTable:
    """A Parquet file; rows are numbered from 1, as lines are in a text file."""

    def __init__(self, file: InputFile, parquet: pq.ParquetFile) -> None:
        self._file = file
        self._parquet = parquet
        self._size = file.path.stat().st_size
        self.header = Header(file.shown, tuple(parquet.schema_arrow.names))

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as in `Table`.

        Raises: DataError where a column cannot be read as text, or an id column holds neither
        texts nor whole numbers.
        """
        for name in names:
            self._require_type(name, name in ids)
        n_rows = max(self._parquet.metadata.num_rows, 1)
        read = 0
        for batch in self._batches(names):
            lines = np.arange(read + 1, read + len(batch) + 1, dtype=np.int64)
            read += len(batch)
            cells = {name: self._texts(name, batch.column(name)) for name in names}
            yield Block(lines, cells, position=self._size * read // n_rows)

    def _batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        batches = self._parquet.iter_batches(BLOCK_ROWS, columns=list(names), use_threads=False)
        while True:
            with _unbroken(self._file):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _require_type(self, name: str, is_id: bool) -> None:
        kind = self._parquet.schema_arrow.field(name).type
        if types.is_dictionary(kind):
            kind = kind.value_type
        texts = (types.is_null, types.is_string, types.is_large_string, types.is_string_view)
        if types.is_list(kind) and not is_id:
            kind = kind.value_type
        if any(is_text(kind) for is_text in texts):
            return
        if is_id and not types.is_integer(kind):
            raise DataError(
                f"{self._file.shown}: column {name!r} holds ids as {kind}; store ids as text, "
                "or they lose digits and zeros"
            )
        if not (types.is_primitive(kind) or types.is_decimal(kind)):
            raise DataError(
                f"{self._file.shown}: column {name!r} is of type {kind}; store it as text"
            )

    def _texts(self, name: str, column: pa.Array) -> NDArray[np.object_]:
        try:
            if types.is_timestamp(column.type):
                zone = "UTC" if column.type.tz else None
                column = column.cast(pa.timestamp("s", zone), safe=False)
            elif types.is_list(column.type):
                column = pc.binary_join(column.cast(pa.list_(pa.string())), "\n")
            texts: NDArray[np.object_] = (
                column.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
            )
        except (UnicodeDecodeError, pa.ArrowException) as error:
            raise DataError(
                f"{self._file.shown}: column {name!r} does not read as UTF-8 text; store it as text"
            ) from error
        return texts


@contextmanager
def open_parquet(file: InputFile) -> Iterator[ParquetTable]:
    """Open a Parquet file. Raises: DataError where it is not one, or broken."""
    with ExitStack() as stack:
        with _unbroken(file):
            table = ParquetTable(file, stack.enter_context(pq.ParquetFile(file.path)))
        yield table


@contextmanager
def _unbroken(file: InputFile) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        cause = str(error).partition("\n")[0]
        raise DataError(f"{file.shown} is not a Parquet file, or a broken one: {cause}") from error
