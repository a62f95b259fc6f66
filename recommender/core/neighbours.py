"""Neighbours of a block of items: rows and scores, best first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, frozen, products_of_pairs
from recommender.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NONE = -1
KEYS = 2**22
"""Numbers of a matrix of keys."""
SIGN = np.uint32(1 << 31)
LAST = np.uint64(2**64 - 1)

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Near items of b queries: `rows` and `scores` (b, k), best first.

    A row is `NONE`, with score -inf, where a query has fewer than k neighbours; such padding
    is behind the neighbours and never leaves this type.
    """

    rows: Rows
    scores: FloatMatrix

    def __post_init__(self) -> None:
        if self.rows.shape != self.scores.shape or self.rows.ndim != 2:
            raise DataError(f"neighbours: {self.rows.shape} rows, {self.scores.shape} scores")
        object.__setattr__(self, "rows", frozen(self.rows))
        object.__setattr__(self, "scores", frozen(self.scores))

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Where there is a neighbour (b, k)."""
        found: npt.NDArray[np.bool_] = self.rows != NONE
        return found

    def keep(self, kept: npt.NDArray[np.bool_], depth: int) -> "Neighbours":
        """The first `depth` neighbours of each query among those `kept` (b, k)."""
        kept = kept & self.found
        order = np.argsort(~kept, axis=1, kind="stable")[:, :depth]
        taken = np.take_along_axis(kept, order, axis=1)
        rows = np.where(taken, np.take_along_axis(self.rows, order, axis=1), np.int32(NONE))
        scores = np.take_along_axis(self.scores, order, axis=1)
        return Neighbours(rows, np.where(taken, scores, np.float32(-np.inf)))

    def keep_first(self, depth: int) -> "Neighbours":
        """The first `depth` neighbours of each query."""
        return self.keep(self.found, depth)

    @classmethod
    def ordered(cls, rows: Rows, scores: FloatMatrix) -> "Neighbours":
        """Neighbours from unordered columns: best first, equal scores by row, padding last."""
        masked = np.where(rows == NONE, np.float32(-np.inf), scores).astype(np.float32)
        order = np.lexsort((rows, -masked), axis=1)
        return cls(
            np.take_along_axis(rows, order, axis=1).astype(np.int32),
            np.take_along_axis(masked, order, axis=1),
        )

    @classmethod
    def joined(cls, parts: Iterable["Neighbours"]) -> "Neighbours":
        """Blocks of neighbours (b, k), one below the other."""
        rows, scores = zip(*((part.rows, part.scores) for part in parts), strict=True)
        return cls(np.concatenate(rows), np.concatenate(scores))

    @classmethod
    def of_sparse(cls, scores: "csr_array", depth: int, start: int = 0) -> "Neighbours":
        """The `depth` largest scores above 0 of each row (b, n).

        Equal scores are in a hashed order of row, counted from `start`, and column, so that no
        column is favoured in all rows.
        """
        sizes = np.diff(scores.indptr)
        owner = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
        positive = scores.data > 0
        owner, found, value = owner[positive], scores.indices[positive], scores.data[positive]
        order = np.lexsort((_hashed(owner + start, found), -value, owner))
        owner, found, value = owner[order], found[order], value[order]
        place = np.arange(len(owner)) - np.searchsorted(owner, owner)
        first = place < depth
        rows = np.full((len(sizes), depth), NONE, dtype=np.int32)
        best = np.full((len(sizes), depth), -np.inf, dtype=np.float32)
        rows[owner[first], place[first]] = found[first]
        best[owner[first], place[first]] = value[first]
        return cls(rows, best)


def nearest_of_pairs(
    targets: FloatMatrix, queries: FloatMatrix, asking: Places, rows: Rows, k: int
) -> Neighbours:
    """The best k (b, k) of pairs (p,) of queries and rows, by their products in fp32.

    Equal scores are ordered by row; a zero query has no neighbours.
    """
    order = np.argsort(asking, kind="stable")
    asking, rows = asking[order], rows[order]
    scores = products_of_pairs(queries, targets, asking, rows)
    best = np.full((len(queries), k), NONE, dtype=np.int32)
    best_scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    bounds = np.searchsorted(asking, np.arange(len(queries) + 1))
    for block in _of_like_width(np.diff(bounds)):
        pairs = slice(bounds[block.start], bounds[block.stop])
        places = np.arange(pairs.start, pairs.stop) - bounds[asking[pairs]]
        keys = np.full((block.stop - block.start, max(k, int(places.max(initial=0)) + 1)), LAST)
        keys[asking[pairs] - block.start, places] = _keys(scores[pairs], rows[pairs])
        keys.sort(axis=1)
        best[block], best_scores[block] = _of_keys(keys[:, :k])
    blank = ~np.asarray(queries.any(axis=1))
    best[blank], best_scores[blank] = NONE, -np.inf
    return Neighbours(best, best_scores)


def _of_like_width(counts: Places) -> Iterator[slice]:
    """Blocks of queries, so that a matrix as wide as the widest of each holds `KEYS` at most."""
    start, widest = 0, 1
    for query, count in enumerate(counts.tolist()):
        widest = max(widest, count)
        if query > start and widest * (query + 1 - start) > KEYS:
            yield slice(start, query)
            start, widest = query, max(1, count)
    yield slice(start, len(counts))


def _keys(scores: FloatVector, rows: Rows) -> npt.NDArray[np.uint64]:
    """Numbers that ascend as scores descend, and as rows ascend where scores are equal."""
    bits = (scores + np.float32(0)).view(np.uint32)  # so that -0 is 0
    ascending = np.where(bits & SIGN, ~bits, bits | SIGN)
    return (~ascending).astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64)


def _of_keys(keys: npt.NDArray[np.uint64]) -> tuple[Rows, FloatMatrix]:
    """The rows and scores of keys."""
    ascending = ~(keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(ascending & SIGN, ascending & ~SIGN, ~ascending)
    empty = keys == LAST
    rows = np.where(empty, NONE, (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)).astype(np.int32)
    return rows, np.where(empty, np.float32(-np.inf), bits.view(np.float32))


def _hashed(owner: npt.NDArray[np.int64], found: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """A number for each pair that depends on nothing else (the mixer of splitmix64)."""
    mixed = (owner.astype(np.uint64) << np.uint64(32)) | found.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
