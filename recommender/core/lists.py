"""Related lists as columns: entries, the lists of a placement, and the ids behind their rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, FloatMatrix, Rows, frozen
from recommender.core.ids import ItemIds
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.related import EVIDENCE
from recommender.errors import DataError

_NO_ROWS: Rows = frozen(np.zeros(0, dtype=np.int32))


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of related lists as columns of one shape: flat (e,), or b lists of k entries (b, k).

    The columns are declared here and nowhere else: whatever holds entries handles them whole.
    `rows` are the listed items, `scores` are larger for nearer items, `evidence` indexes
    `EVIDENCE`. In a block, shorter lists are padded at their end with the padding of each column.

    Raises: DataError where the columns differ in shape.
    """

    rows: Rows = field(metadata={"padding": np.int32(NONE)})
    scores: FloatMatrix = field(metadata={"padding": np.float32(-np.inf)})
    evidence: NDArray[np.uint8] = field(metadata={"padding": np.uint8(0)})

    def __post_init__(self) -> None:
        shapes = {name: column.shape for name, column in self.columns().items()}
        if len(set(shapes.values())) != 1:
            raise DataError(f"entries: the columns differ in shape: {shapes}")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Where there is an entry."""
        found: NDArray[np.bool_] = self.rows != NONE
        return found

    @property
    def neighbours(self) -> Neighbours:
        """Rows and scores of a block (b, k), as filters and scorers take them."""
        return Neighbours(self.rows, self.scores)

    def columns(self) -> Columns:
        """The columns by name."""
        return {name: getattr(self, name) for name in PADDING}

    @classmethod
    def from_columns(cls, columns: Mapping[str, NDArray[Any]]) -> "Entries":
        """Take the columns of entries out of others."""
        return cls(**{name: columns[name] for name in PADDING})

    @classmethod
    def padded(cls, shape: int | tuple[int, int]) -> "Entries":
        """Writable columns that hold nothing but padding."""
        return cls(**{name: np.full(shape, empty, empty.dtype) for name, empty in PADDING.items()})

    @classmethod
    def concatenated(cls, parts: Iterable["Entries"], axis: int = 0) -> "Entries":
        """Join entries, of which there is at least one part."""
        columns = [part.columns() for part in parts]
        return cls(
            **{name: np.concatenate([one[name] for one in columns], axis) for name in PADDING}
        )

    def map(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> "Entries":
        """Change every column in the same way."""
        return Entries(**{name: change(column) for name, column in self.columns().items()})

    def __getitem__(self, places: Any) -> "Entries":  # noqa: ANN401 - whatever NumPy takes
        return self.map(lambda column: column[places])

    def reordered(self, order: NDArray[np.integer[Any]]) -> "Entries":
        """The entries of each list of a block in an order of their places (b, m)."""
        return self.map(lambda column: np.take_along_axis(column, order, axis=1))

    def where(self, kept: NDArray[np.bool_]) -> "Entries":
        """The entries that are `kept`, padding in place of the others."""
        return Entries(
            **{name: np.where(kept, getattr(self, name), empty) for name, empty in PADDING.items()}
        )

    def put(self, places: Any, entries: "Entries") -> None:  # noqa: ANN401 - whatever NumPy takes
        """Write entries to some places of writable columns."""
        for name, column in self.columns().items():
            column[places] = getattr(entries, name)

    def put_new(self, places: Any, **values: object) -> None:  # noqa: ANN401
        """Write new entries to some places; columns without a value hold their padding there."""
        for name, column in self.columns().items():
            column[places] = values.get(name, PADDING[name])


PADDING: Mapping[str, Any] = {one.name: one.metadata["padding"] for one in fields(Entries)}
"""What each column of an entry holds where there is no entry, by the name of the column."""


@dataclass(frozen=True, slots=True)
class RelatedLists:
    """The related lists of n items in one placement, ready to publish.

    The list of row i is `entries` (e,) from `offsets[i]` to `offsets[i + 1]`, best first. Scores
    are in (0, 1]. No list holds its own item, or one item twice. `best_sellers` (s,) are the rows
    of the shop's best sellers, which are shown where there is no list.

    Raises: DataError where one of these does not hold.
    """

    placement: str
    offsets: NDArray[np.int64]
    entries: Entries
    best_sellers: Rows = field(default_factory=_NO_ROWS.copy)

    def __post_init__(self) -> None:
        if len(self.entries) != int(self.offsets[-1]):
            raise DataError(f"related lists {self.placement}: columns differ in length")
        self._check_entries()
        object.__setattr__(self, "offsets", frozen(self.offsets))
        object.__setattr__(self, "entries", self.entries.map(frozen))
        object.__setattr__(self, "best_sellers", frozen(self.best_sellers))

    def _check_entries(self) -> None:
        where = f"related lists {self.placement}"
        rows, scores, evidence = self.entries.rows, self.entries.scores, self.entries.evidence
        owners = np.repeat(np.arange(len(self), dtype=np.int64), self.sizes)
        if not ((rows >= 0) & (rows < len(self))).all():
            raise DataError(f"{where}: an entry outside of the catalogue")
        if (rows == owners).any():
            raise DataError(f"{where}: a list holds its own item")
        pairs = np.sort(owners * len(self) + rows)
        if (pairs[1:] == pairs[:-1]).any():
            raise DataError(f"{where}: a list holds an item twice")
        if not ((scores > 0) & (scores <= 1)).all():
            raise DataError(f"{where}: a score outside of (0, 1]")
        if len(evidence) and evidence.max() >= len(EVIDENCE):
            raise DataError(f"{where}: an unknown evidence code")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many entries each list has (n,)."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Rows:
        """In whose list each entry is (e,)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.sizes)

    def places(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Where the entries of some lists are among all, one list after another."""
        return places(self.offsets, rows)

    def of(self, row: int) -> Entries:
        """The entries of one list."""
        return self.entries[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def block(self, rows: range) -> Entries:
        """The lists of some rows that follow each other, as a block (b, k)."""
        sizes = self.sizes[rows.start : rows.stop]
        found = np.arange(int(sizes.max(initial=0))) < sizes[:, None]
        block = Entries.padded(found.shape)
        block.put(found, self.entries[int(self.offsets[rows.start]) : int(self.offsets[rows.stop])])
        return block

    @classmethod
    def of_blocks(
        cls, placement: str, blocks: Iterable[Entries], best_sellers: Rows = _NO_ROWS
    ) -> "RelatedLists":
        """Join blocks of lists (b, k) that follow each other in row order."""
        sizes, entries = joined(blocks)
        return cls(placement, offsets_of(sizes), entries, best_sellers)


@dataclass(frozen=True, slots=True)
class NamedLists:
    """The lists of one build in one placement, with the ids behind its rows."""

    ids: ItemIds
    lists: RelatedLists


def joined(blocks: Iterable[Entries]) -> tuple[NDArray[np.int64], Entries]:
    """The sizes (n,) and the entries (e,) of blocks of lists, without padding."""
    sizes, entries = [np.zeros(0, dtype=np.int64)], [Entries.padded(0)]
    for block in blocks:
        found = block.found
        sizes.append(found.sum(axis=1, dtype=np.int64))
        entries.append(block[found])
    return np.concatenate(sizes), Entries.concatenated(entries)


def offsets_of(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each list begins, and where the last one ends (n + 1,)."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def ranks_of(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many entries are before each (e,) in its list, for lists of `sizes` (n,)."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def first_rows(sizes: NDArray[np.int64], rows: Rows, k: int) -> Rows:
    """The first k of the rows (e,) of each list (n, k), `NONE` behind shorter lists."""
    columns = np.arange(k)
    found = columns < np.minimum(sizes, k)[:, None]
    first = np.full(found.shape, NONE, dtype=np.int32)
    first[found] = rows[(offsets_of(sizes)[:-1, None] + columns)[found]]
    return first


def places(offsets: NDArray[np.int64], rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """The places from `offsets[row]` to `offsets[row + 1]` of some rows, one row after another."""
    starts, sizes = offsets[rows], offsets[rows + 1] - offsets[rows]
    return np.repeat(starts, sizes) + ranks_of(sizes)
