"""Boosted trees, evaluated without branches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, blocks

ROWS_AT_ONCE = 512
"""Rows of which the open leaves of some hundred trees stay in the cache of a core."""
LEAVES_MAX = 64
DEFAULT_LEFT, MISSING_IS_NAN = 2, 8
"""Bits of a decision in LightGBM's text."""


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """Trees of at most 64 leaves, as bits of the leaves that each value of a feature leaves open.

    `thresholds` holds the f features' distinct thresholds, ascending. A value above the first b of
    them is in bin b, NaN in the bin behind the last. `open_leaves` (bins, t) has the bins of all
    features, from `starts` (f,) on: bit l is set where leaf l can still be reached, counted from
    the left. The leftmost leaf that all features leave open is the one that a tree falls into.
    `values` (t, leaves) is what the leaves add.

    Source: Lucchese et al. 2015, "QuickScorer: a fast algorithm to rank documents with additive
    ensembles of regression trees".
    """

    thresholds: tuple[FloatVector, ...]
    starts: NDArray[np.int32]
    open_leaves: NDArray[Any]
    values: NDArray[np.float64]

    @classmethod
    def parsed(cls, text: str) -> "BoostedTrees":
        """Read trees from LightGBM's own text, whose features are numbers.

        Raises: ValueError for a tree of more than 64 leaves.
        """
        header, *parts = text.split("\nTree=")
        trees = [_fields(part) for part in parts]
        most = max((int(tree["num_leaves"]) for tree in trees), default=1)
        if most > LEAVES_MAX:
            raise ValueError(f"a tree has {most} leaves; at most {LEAVES_MAX} can be read")
        values = np.zeros((len(trees), most))
        splits: list[list[_Split]] = [
            [] for _ in range(int(_fields(header)["max_feature_idx"]) + 1)
        ]
        for number, tree in enumerate(trees):
            order = [0]
            if int(tree["num_leaves"]) > 1:
                order = []
                for feature, split in _splits(tree, number, order):
                    splits[feature].append(split)
            values[number, : len(order)] = np.array(tree["leaf_value"].split(), float)[order]
        kind = np.uint32 if most <= 32 else np.uint64
        thresholds = tuple(
            np.unique(np.array([split.threshold for split in of_one], dtype=np.float32))
            for of_one in splits
        )
        tables = [
            _open_leaves(*each, len(trees), kind) for each in zip(thresholds, splits, strict=True)
        ]
        starts = np.cumsum([0, *map(len, tables)])[:-1]
        return cls(thresholds, starts.astype(np.int32), np.concatenate(tables), values)

    def predict(self, table: FloatMatrix) -> NDArray[np.float64]:
        """The sums (m,) over all trees for the rows of features (m, f)."""
        predicted = np.zeros(len(table))
        used = [place for place, found in enumerate(self.thresholds) if len(found)]
        bins = [self._bins(table[:, place], place) for place in used]
        first = np.arange(len(self.values), dtype=np.int32) * self.values.shape[1]
        unread = np.empty((ROWS_AT_ONCE, len(self.values)), dtype=self.open_leaves.dtype)
        for block in blocks(len(table), ROWS_AT_ONCE):
            leaves = unread[: block.stop - block.start]
            still_open = np.full_like(leaves, np.iinfo(leaves.dtype).max)
            for of_feature in bins:
                # clipping alone, which changes nothing, lets numpy write straight into `leaves`
                self.open_leaves.take(of_feature[block], axis=0, out=leaves, mode="clip")
                still_open &= leaves
            predicted[block] = self.values.take(first + _lowest_bit(still_open)).sum(axis=1)
        return predicted

    def _bins(self, column: FloatVector, place: int) -> NDArray[np.int32]:
        thresholds = self.thresholds[place]
        bins: NDArray[np.int32] = np.searchsorted(thresholds, column).astype(np.int32)
        bins[np.isnan(column)] = len(thresholds) + 1
        bins += self.starts[place]
        return bins


@dataclass(frozen=True, slots=True)
class _Split:
    """A node: values above `threshold` go to the right, and close the leaves on the left."""

    tree: int
    threshold: np.float32
    left_leaves: int
    nan_goes_right: bool


def _fields(part: str) -> dict[str, str]:
    lines = (line.partition("=") for line in part.split("\n\n")[0].splitlines())
    return {name: value for name, equals, value in lines if equals}


def _splits(tree: dict[str, str], number: int, order: list[int]) -> Iterator[tuple[int, _Split]]:
    """The splits of a tree by feature; puts its leaves from left to right into `order`."""
    decisions, lefts, rights, features = (
        np.array(tree[name].split(), dtype=int)
        for name in ("decision_type", "left_child", "right_child", "split_feature")
    )
    thresholds = np.array(tree["threshold"].split(), dtype=np.float64)
    rounded = thresholds.astype(np.float32)
    below = np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    nan_right = np.where(
        decisions & MISSING_IS_NAN, ~decisions & DEFAULT_LEFT, thresholds < 0
    ).astype(bool)

    def walked(node: int) -> Iterator[tuple[int, _Split]]:
        if node < 0:
            order.append(~node)
            return
        first = len(order)
        yield from walked(lefts[node])
        leaves = (1 << len(order)) - (1 << first)
        yield (
            int(features[node]),
            _Split(number, below[node], leaves, bool(nan_right[node])),
        )
        yield from walked(rights[node])

    yield from walked(0)


def _open_leaves(
    thresholds: FloatVector, splits: list[_Split], n_trees: int, kind: type[np.unsignedinteger[Any]]
) -> NDArray[Any]:
    """The leaves (bins, t) of all trees that each bin of one feature leaves open."""
    table = np.full((len(thresholds) + 2, n_trees), np.iinfo(kind).max, dtype=kind)
    for split in splits:
        open_leaves = ~kind(split.left_leaves)
        above = int(np.searchsorted(thresholds, split.threshold)) + 1
        table[above:-1, split.tree] &= open_leaves
        if split.nan_goes_right:
            table[-1, split.tree] &= open_leaves
    return table


def _lowest_bit(bits: NDArray[Any]) -> NDArray[np.int32]:
    """The place of the lowest bit of each number, which is not 0.

    A power of two is exact in floating point, and its logarithm is the exponent.
    """
    lowest = bits & (~bits + bits.dtype.type(1))
    exponents: NDArray[np.int32]
    if bits.dtype == np.uint32:
        exponents = (lowest.astype(np.float32).view(np.int32) >> 23) - 127
    else:
        exponents = ((lowest.astype(np.float64).view(np.int64) >> 52) - 1023).astype(np.int32)
    return exponents
