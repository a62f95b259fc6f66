"""Vectors that a shop already has, such as those of its image model, read from a file."""

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatVector, unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.telemetry import Progress
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError, DataError

FORMAT = 1
IDS = ".ids"

Row = tuple[int, str, Sequence[str] | NDArray[np.floating]]
"""The number of a row or line, the item id, and its numbers."""


@dataclass(frozen=True, slots=True)
class VectorFile:
    """One vector per item id, from a Parquet, CSV or NPY file.

    Parquet: the column `item` holds ids, and the column `vector` lists of numbers. CSV with a
    header: the column `item` holds ids, and every other column one dimension. NPY: a matrix (n, d),
    and next to it a text file of the same name that ends in `.ids`, with one id a line.

    Vectors are scaled to length one. An item without a row in the file, or with zeros alone, has a
    zero row and support 0. Ids that are not in the catalogue are passed over.
    """

    path: str = ""
    item: str = "item"
    vector: str = "vector"

    def __post_init__(self) -> None:
        if Path(self.path).suffix not in _READERS:
            raise ConfigError(
                f"vectors: path = {self.path!r}; name a file that ends in {', '.join(_READERS)}"
            )

    def fingerprint(self) -> str:
        """The checksums of the files, and which columns are read. Raises: DataError."""
        path = Path(self.path)
        files = [path, path.with_suffix(IDS)] if path.suffix == ".npy" else [path]
        sums = [_checksum(file) for file in files]
        return "-".join(["vectors", str(FORMAT), *sums, self.item, self.vector])

    def embed(self, catalogue: Catalogue, progress: Progress) -> Embeddings:
        """Embeddings (n, d) of all items.

        Raises: DataError where the file cannot be read, or where a row has other dimensions than
        the first row, a number that is not finite or the id of another row; it names id and row.
        """
        path = Path(self.path)
        rows = {item: row for row, item in enumerate(catalogue.ids.ids)}
        matrix = np.zeros((len(rows), 0), dtype=np.float32)
        seen: dict[str, int] = {}
        with progress(f"read {path.name}", 1) as advance:
            for number, item, given in _read(path, self.item, self.vector):
                where = f"vectors: {path}, row {number}, item {item!r:.60}"
                vector = _numbers(given, where)
                if not seen:
                    matrix = np.zeros((len(rows), len(vector)), dtype=np.float32)
                if item in seen:
                    raise DataError(f"{where}: row {seen[item]} has a vector of this item")
                if vector.shape != matrix.shape[1:]:
                    raise DataError(
                        f"{where}: {len(vector)} dimensions, the first row has {matrix.shape[1]}"
                    )
                seen[item] = number
                if item in rows:
                    matrix[rows[item]] = vector
            advance(1)
        if not seen:
            raise DataError(f"vectors: {path} has no rows")
        matrix = unit_rows(matrix)
        support: FloatVector = np.asarray(matrix.any(axis=1), dtype=np.float32)
        return Embeddings(matrix, support)


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"vectors: {path} cannot be read: {error.strerror}") from error


def _numbers(given: Sequence[str] | NDArray[np.floating], where: str) -> FloatVector:
    try:
        with np.errstate(over="ignore"):
            vector: FloatVector = np.asarray(given).astype(np.float32)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    if not len(vector):
        raise DataError(f"{where}: no vector")
    if not np.isfinite(vector).all():
        raise DataError(f"{where}: a number that is not finite")
    return vector


def _read(path: Path, item: str, vector: str) -> Iterator[Row]:
    try:
        yield from _READERS[path.suffix](path, item, vector)
    except DataError:
        raise
    except Exception as error:  # numpy and pyarrow raise many kinds for a damaged file
        raise DataError(f"vectors: {path} cannot be read: {error}") from error


def _parquet(path: Path, item: str, vector: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        types = {field.name: field.type for field in file.schema_arrow}
        _require_columns(path, (item, vector), list(types))
        kind = types[vector]
        lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
        if not any(is_list(kind) for is_list in lists):
            raise DataError(f"vectors: {path}: column {vector!r} is of type {kind}, not lists")
        number = 0
        for batch in file.iter_batches(columns=[item, vector]):
            ids = batch.column(item).cast(pa.string()).fill_null("").to_pylist()
            cells = batch.column(vector).cast(pa.list_(pa.float32()))
            offsets = cells.offsets.to_numpy()
            values = cells.values.to_numpy(zero_copy_only=False)
            for place, one in enumerate(ids):
                number += 1
                yield number, one, values[offsets[place] : offsets[place + 1]]


def _csv(path: Path, item: str, _vector: str) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, [])
        _require_columns(path, (item,), header)
        place = header.index(item)
        for cells in filter(None, reader):
            one = cells.pop(place) if place < len(cells) else ""
            yield reader.line_num, one, cells


def _npy(path: Path, _item: str, _vector: str) -> Iterator[Row]:
    matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    ids = path.with_suffix(IDS).read_text(encoding="utf-8").splitlines()
    if matrix.dtype.kind not in "fiub":
        raise DataError(f"vectors: {path} has an array of {matrix.dtype}, not of numbers")
    if matrix.ndim != 2 or len(matrix) != len(ids):
        raise DataError(
            f"vectors: {path} has an array of shape {matrix.shape}; {path.stem}{IDS} has "
            f"{len(ids)} ids, so shape ({len(ids)}, d) is needed"
        )
    for number, (one, vector) in enumerate(zip(ids, matrix, strict=True), 1):
        yield number, one, vector


def _require_columns(path: Path, wanted: Sequence[str], there: Sequence[str]) -> None:
    for name in wanted:
        if name not in there:
            raise DataError(
                f"vectors: {path} has no column {name!r}; it has {', '.join(there[:20])}"
            )


_READERS: Mapping[str, Callable[[Path, str, str], Iterator[Row]]] = MappingProxyType(
    {".csv": _csv, ".npy": _npy, ".parquet": _parquet}
)
