"""Arrays and columns of text: the few operations that every stage shares."""

import mmap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recommender.errors import DataError

FloatMatrix = NDArray[np.float32]
FloatVector = NDArray[np.float32]
Rows = NDArray[np.int32]
Columns = dict[str, NDArray[Any]]
NUMBERS_AT_ONCE, NUMBERS_IN_CACHE, ROWS_AT_ONCE = 4_194_304, 2**17, 4096
"""Numbers of a temporary array, as many of them as fit into a core's cache, and rows of one."""
Scalar = TypeVar("Scalar", bound=np.generic)


def frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return `array` as a read-only view; the caller's own array stays writable."""
    view = array.view()
    view.flags.writeable = False
    return view


def row_lengths(matrix: FloatMatrix) -> FloatVector:
    """The Euclidean length of each row (n,), with nothing else of n by d."""
    lengths = np.empty(len(matrix), dtype=np.float32)
    for block in blocks(len(matrix), ROWS_AT_ONCE):
        lengths[block] = np.linalg.norm(matrix[block], axis=1)
    return lengths


def release_pages(*arrays: NDArray[Any]) -> None:
    """Release the memory of arrays that are mapped from files, until they are read again."""
    for array in arrays:
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)


def unit_rows(matrix: NDArray[np.floating[Any]]) -> FloatMatrix:
    """Scale the rows of `matrix` (n, d) to length one; a zero row stays zero."""
    dense = np.asarray(matrix, dtype=np.float32)
    norms = np.linalg.norm(dense, axis=1, keepdims=True)
    units: FloatMatrix = np.divide(dense, norms, out=np.zeros_like(dense), where=norms > 0)
    return units


def centred(matrix: FloatMatrix, centre: FloatVector) -> FloatMatrix:
    """The rows (n, d) relative to a centre (d,), scaled to length one; zero rows stay zero."""
    known = np.asarray(matrix.any(axis=1))
    return unit_rows(np.where(known[:, None], matrix - centre, np.float32(0)))


def inner_products(
    matrix: FloatMatrix, rows: Rows, found: Rows, targets: FloatMatrix | None = None
) -> FloatMatrix:
    """Inner products (b, k) of rows (b,) of a matrix (n, d) with rows (b, k) of the targets (n, d).

    Without targets, these are rows of the same matrix.
    """
    others = matrix if targets is None else targets
    asking = np.repeat(rows, found.shape[1])
    return products_of_pairs(matrix, others, asking, found.ravel()).reshape(found.shape)


def products_of_pairs(
    queries: FloatMatrix,
    targets: FloatMatrix,
    asking: NDArray[np.integer[Any]],
    rows: NDArray[np.integer[Any]],
) -> FloatVector:
    """Inner products (p,) of rows (p,) of queries (q, d) with rows (p,) of targets (n, d).

    Negative rows count from the end, so that padding gives a number that nobody reads.
    """
    products = np.empty(len(asking), dtype=np.float32)
    queries, targets = np.asarray(queries), np.asarray(targets)
    for pairs in blocks(len(asking), max(1, NUMBERS_IN_CACHE // max(1, queries.shape[1]))):
        left, right = queries.take(asking[pairs], axis=0), targets.take(rows[pairs], axis=0)
        np.einsum("pd,pd->p", left, right, out=products[pairs])
    return products


def require_finite(matrix: NDArray[Any], what: str) -> None:
    """Refuse NaN and infinity.

    Raises: DataError naming `what` and the first row that is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(matrix.sum()):
            return
    finite = np.isfinite(matrix).reshape(len(matrix), -1).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(
            f"{what}: row {row} is not finite ({int((~finite).sum())} such rows); "
            "look for extreme weights or a broken model"
        )


def blocks(total: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that cover range(total)."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def first_of_each(codes: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Mark, in each row of `codes` (b, k), the first place of every value; the result is (b, k)."""
    first: NDArray[np.bool_] = place_among_equals(codes) == 0
    return first


def place_among_equals(codes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """How many equal values stand before each place of its row; (b, k) as `codes`."""
    order = np.argsort(codes, axis=1, kind="stable")
    ordered = np.take_along_axis(codes, order, axis=1)
    places = np.broadcast_to(np.arange(codes.shape[1]), codes.shape)
    first = np.ones(codes.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.maximum.accumulate(np.where(first, places, 0), axis=1)
    counted = np.empty(codes.shape, dtype=np.int64)
    np.put_along_axis(counted, order, places - start, axis=1)
    return counted


def text_codes(texts: Sequence[str]) -> tuple[Rows, tuple[str, ...]]:
    """Number the distinct texts by first appearance: codes (n,) and the distinct texts."""
    numbers = defaultdict[str, int](count().__next__)
    codes = np.fromiter(map(numbers.__getitem__, texts), np.int32, len(texts))
    return codes, tuple(numbers)


def pack_texts(name: str, texts: Sequence[str]) -> Columns:
    """Lay n texts out as two arrays, UTF-8 bytes and n + 1 offsets, so that no pickle is needed."""
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    joined = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return {f"{name}.bytes": joined, f"{name}.offsets": offsets}


def unpack_texts(name: str, columns: Columns) -> tuple[str, ...]:
    """Undo `pack_texts`."""
    joined = columns[f"{name}.bytes"].tobytes()
    offsets = columns[f"{name}.offsets"].tolist()
    if joined.isascii():  # a character is a byte, so that one decoding does for all
        whole = joined.decode("ascii")
        return tuple([whole[start:end] for start, end in pairwise(offsets)])
    return tuple(joined[start:end].decode() for start, end in pairwise(offsets))
