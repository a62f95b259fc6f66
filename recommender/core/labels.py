"""Labels: the brands or categories of items, of which an item may have several."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import Rows, text_codes
from recommender.core.catalogue import PATH_SEPARATOR, Catalogue, brand_codes, category_codes

NONE = -1


@dataclass(frozen=True, slots=True)
class Labels:
    """The label of each item (n,), `NONE` where it is unknown, and those it has besides.

    `several` (n, c) marks all labels of each item; None where no item has more than one.
    """

    own: Rows
    several: sp.csr_array | None = None

    @classmethod
    def of_brands(cls, catalogue: Catalogue) -> "Labels":
        """The brand of each item."""
        return cls(brand_codes(catalogue))

    @classmethod
    def of_categories(cls, catalogue: Catalogue, level: int = 0) -> "Labels":
        """All categories of each item, by the first `level` parts of their paths; 0 is all."""
        if not any(catalogue.other_categories):
            return cls(category_codes(catalogue, level))
        paths = [category_paths(catalogue, row) for row in range(len(catalogue))]
        codes, _ = text_codes([_cut(path, level) for path in chain.from_iterable(paths)])
        starts = np.zeros(len(paths) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in paths], out=starts[1:])
        own = np.full(len(paths), NONE, dtype=np.int32)
        known = starts[1:] > starts[:-1]
        own[known] = codes[starts[:-1][known]]
        marks = np.ones(len(codes), dtype=bool)
        several = sp.csr_array((marks, codes, starts), (len(paths), int(codes.max(initial=0)) + 1))
        several.sum_duplicates()
        return cls(own, several)

    def shared(self, seeds: Rows, items: Rows) -> NDArray[np.bool_]:
        """Whether two items share a label, for pairs of rows of any shape that broadcasts."""
        same: NDArray[np.bool_] = (self.own[seeds] == self.own[items]) & (self.own[seeds] != NONE)
        if self.several is not None:
            left, right = np.broadcast_arrays(seeds, items)
            many = np.diff(self.several.indptr) > 1
            asked = ~same & (many[left] | many[right])
            same[asked] = _meet(self.several, left[asked], right[asked])
        return same

    def members(self) -> tuple[Rows, Rows]:
        """Each item by each of its labels: rows (m,) and labels (m,), by rising row."""
        if self.several is None:
            rows = np.flatnonzero(self.own != NONE).astype(np.int32)
            return rows, self.own[rows]
        rows = np.repeat(np.arange(len(self.own), dtype=np.int32), np.diff(self.several.indptr))
        return rows, self.several.indices.astype(np.int32)


def _meet(marks: sp.csr_array, left: Rows, right: Rows) -> NDArray[np.bool_]:
    """Whether two rows of `marks` have a column in common, for each of p pairs.

    One column of each is compared at a time, so that the work is that of the pairs of columns.
    """
    starts, columns = marks.indptr[:-1], marks.indices
    counts = np.diff(marks.indptr)
    met = np.zeros(len(left), dtype=bool)
    pairs, place = np.arange(len(met)), 0
    while len(pairs := pairs[counts[left[pairs]] > place]):
        wanted = columns[starts[left[pairs]] + place]
        open_, other = np.arange(len(pairs)), 0
        while len(open_ := open_[counts[right[pairs[open_]]] > other]):
            met[pairs[open_]] |= columns[starts[right[pairs[open_]]] + other] == wanted[open_]
            other += 1
        place += 1
    return met


def category_paths(catalogue: Catalogue, row: int) -> Sequence[str]:
    """All category paths of an item, its own first; none where it is unknown."""
    own, others = catalogue.category[row], catalogue.other_categories[row]
    if not others:
        return (own,) if own else ()
    return (own, *others.split("\n"))


def _cut(path: str, level: int) -> str:
    return PATH_SEPARATOR.join(path.split(PATH_SEPARATOR)[:level]) if level else path


def beginnings(path: str) -> list[str]:
    """A category path and all paths above it: `Garden`, `Garden > Tools`."""
    parts = path.split(PATH_SEPARATOR)
    return [PATH_SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1)]
