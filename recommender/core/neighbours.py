"""Neighbours of a block of items, and the related lists of all of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recommender.core.arrays import Columns, FloatMatrix, FloatVector, Rows, frozen
from recommender.core.related import EVIDENCE
from recommender.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NONE = -1
COLUMNS = ("offsets", "rows", "scores", "evidence")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Near items of b queries: `rows` and `scores` (b, k), best first.

    A row is `NONE`, with score -inf, where a query has fewer than k neighbours; such padding
    stands behind the neighbours and never leaves this type.
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


def _hashed(owner: npt.NDArray[np.int64], found: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """A number for each pair that depends on nothing else (the mixer of splitmix64)."""
    mixed = (owner.astype(np.uint64) << np.uint64(32)) | found.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class RelatedLists:
    """The related lists of n items in one placement, as flat columns ready to publish.

    The list of row i is `rows`, `scores` and `evidence` (e,) from `offsets[i]` to `offsets[i+1]`,
    best first; `scores` are in (0, 1]; `evidence` indexes `EVIDENCE`. No list holds its own item
    or one item twice. `best_sellers` (s,) are the rows of what the shop sells best, for whom there
    is no list.

    Raises: DataError where one of these does not hold.
    """

    placement: str
    offsets: npt.NDArray[np.int64]
    rows: Rows
    scores: FloatVector
    evidence: npt.NDArray[np.uint8]
    best_sellers: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def __post_init__(self) -> None:
        entries = int(self.offsets[-1])
        if not len(self.rows) == len(self.scores) == len(self.evidence) == entries:
            raise DataError(f"related lists {self.placement}: columns differ in length")
        self._check_entries(np.repeat(np.arange(len(self), dtype=np.int64), self.sizes))
        for name in (*COLUMNS, "best_sellers"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def _check_entries(self, owners: npt.NDArray[np.int64]) -> None:
        where = f"related lists {self.placement}"
        if not ((self.rows >= 0) & (self.rows < len(self))).all():
            raise DataError(f"{where}: an entry outside of the catalogue")
        if (self.rows == owners).any():
            raise DataError(f"{where}: a list holds its own item")
        pairs = np.sort(owners * len(self) + self.rows)
        if (pairs[1:] == pairs[:-1]).any():
            raise DataError(f"{where}: a list holds an item twice")
        if not ((self.scores > 0) & (self.scores <= 1)).all():
            raise DataError(f"{where}: a score outside of (0, 1]")
        if len(self.evidence) and self.evidence.max() >= len(EVIDENCE):
            raise DataError(f"{where}: an unknown evidence code")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """How many entries each list has (n,)."""
        return np.diff(self.offsets)

    def places(self, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        """Where the entries of some lists stand among all, one list after another."""
        return places(self.offsets, rows)

    @classmethod
    def of_blocks(
        cls,
        placement: str,
        parts: Iterable[tuple[Neighbours, npt.NDArray[np.uint8]]],
        best_sellers: Rows | None = None,
    ) -> "RelatedLists":
        """Join blocks of neighbours and their evidence (b, k), which follow in row order."""
        sizes = [np.zeros(1, dtype=np.int64)]
        rows = [np.zeros(0, dtype=np.int32)]
        scores = [np.zeros(0, dtype=np.float32)]
        evidence = [np.zeros(0, dtype=np.uint8)]
        for neighbours, codes in parts:
            found = neighbours.found
            sizes.append(found.sum(axis=1, dtype=np.int64))
            rows.append(neighbours.rows[found])
            scores.append(neighbours.scores[found])
            evidence.append(codes[found])
        return cls(
            placement,
            np.cumsum(np.concatenate(sizes)),
            np.concatenate(rows),
            np.concatenate(scores),
            np.concatenate(evidence),
            np.zeros(0, dtype=np.int32) if best_sellers is None else best_sellers,
        )

    def columns(self) -> Columns:
        """The lists as arrays."""
        return {name: getattr(self, name) for name in (*COLUMNS, "best_sellers")}

    @classmethod
    def from_columns(cls, placement: str, columns: Columns) -> "RelatedLists":
        """Undo `columns`."""
        return cls(placement, *(columns[name] for name in (*COLUMNS, "best_sellers")))


def places(
    offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.int64]:
    """The places from `offsets[row]` to `offsets[row + 1]` of some rows, one row after another."""
    starts, sizes = offsets[rows], offsets[rows + 1] - offsets[rows]
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()), dtype=np.int64)
