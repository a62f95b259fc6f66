"""Inverted file: search only the cells whose centroids are nearest to the query.

`Auto` searches all targets instead while they are few.

FAISS trains and searches the cells; the part that is ours is that targets are divided by length
before direction. Inner products grow with the length of a target, and popular items have long
targets, so k-means alone mixes long and short targets in a cell and has to probe several times as
many cells for the same recall. A centroid has the direction of its cell's mean and the mean length
of its targets.

Sources: ranges of length from Yan et al. 2018, "Norm-ranging LSH for maximum inner product search";
spherical k-means from Dhillon, Modha 2001, "Concept decompositions for large sparse text data using
clustering".
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import (
    ROWS_AT_ONCE,
    Columns,
    FloatMatrix,
    Rows,
    blocks,
    row_lengths,
    unit_rows,
)
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import VectorIndex
from recommender.errors import ConfigError
from recommender.vectors.index.exact import Exact, FaissIndex, faiss_module, nonzero_rows

FILLED = 200
LENGTH_RANGE = 1.25
ROUNDS, POINTS_PER_CENTROID = 8, 48
SAMPLE, DEPTH = 256, 24
EXACT = "exact"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InvertedFile:
    """FAISS's inverted file, with as many probes as a sample needs for `recall` at 24 neighbours.

    `cells` is the approximate number of cells; 0 means one for every 200 targets. At least
    `probes_min` cells are searched.
    """

    recall: float = 0.98
    cells: int = 0
    probes_min: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.recall <= 1:
            raise ConfigError(f"ivf: recall = {self.recall} is not in (0, 1]")
        if self.cells < 0:
            raise ConfigError(f"ivf: cells = {self.cells} is below 0")
        if self.probes_min < 1:
            raise ConfigError(f"ivf: probes_min = {self.probes_min} is below 1")

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Train and fill the index with the targets (n, d), and choose the number of probes."""
        rows = nonzero_rows(targets)
        if not len(rows):
            return Exact().build(targets)
        filled = max(1, len(rows) // self.cells) if self.cells else FILLED
        centroids, cells = trained(targets, rows, filled, self.seed)
        learned: Columns = {"centroids": centroids, "cells": cells}
        probes = min(self.probes_min, len(centroids))
        index = _filled(targets, rows, learned, probes)
        sample, wanted = sample_of(targets, rows, self.seed)
        while True:
            reached = recall_of(wanted, index.search(sample, DEPTH).rows)
            if reached >= self.recall or probes == len(centroids):
                break
            probes = min(2 * probes, len(centroids))
            index.index.nprobe = probes
        _log.info("cells=%d probes=%d recall=%.3f", len(centroids), probes, reached)
        learned |= {"probes": np.array(probes), "recall": np.array(reached)}
        return replace(index, learned=learned)

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """Fill the trained cells again, without k-means and without choosing probes."""
        if not columns:
            return self.build(targets)
        index = _filled(targets, nonzero_rows(targets), columns, int(columns["probes"]))
        return replace(index, learned=columns)


@dataclass(frozen=True, slots=True)
class Auto:
    """Exact search up to `exact_up_to` items, an inverted file with `recall` above.

    If the recall needs more than `probed_most` of the cells, an exact index is built instead,
    because it is hardly slower then.
    """

    exact_up_to: int = 300_000
    recall: float = 0.98
    seed: int = 0
    probed_most: float = 0.2

    def __post_init__(self) -> None:
        if self.exact_up_to < 0:
            raise ConfigError(f"auto: exact_up_to = {self.exact_up_to} is below 0")
        if not 0 <= self.probed_most <= 1:
            raise ConfigError(f"auto: probed_most = {self.probed_most} is not in 0..1")

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Index the targets (n, d)."""
        if len(targets) <= self.exact_up_to:
            return Exact().build(targets)
        index = self._inverted().build(targets)
        columns = index.columns()
        if columns and columns["probes"] > self.probed_most * len(columns["centroids"]):
            return Instead(Exact().build(targets))
        return index

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """The index that `build` made of the same targets."""
        if len(targets) <= self.exact_up_to:
            return Exact().restore(targets, columns)
        if EXACT in columns:
            return Instead(Exact().restore(targets, {}))
        return self._inverted().restore(targets, columns)

    def _inverted(self) -> InvertedFile:
        return InvertedFile(recall=self.recall, seed=self.seed)


@dataclass(frozen=True, slots=True)
class Instead:
    """An exact index that replaces an inverted file which would be slower; its columns say so."""

    exact: VectorIndex

    def columns(self) -> Columns:
        """A mark that the index is exact."""
        return {EXACT: np.array(1), "recall": np.array(1.0)}

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """The k neighbours (b, k) of the queries (b, d)."""
        return self.exact.search(queries, k)


def _filled(targets: FloatMatrix, rows: Rows, learned: Columns, probes: int) -> FaissIndex:
    faiss = faiss_module()
    centroids = np.ascontiguousarray(learned["centroids"])
    quantizer = faiss.IndexFlatIP(centroids.shape[1])
    quantizer.add(centroids)
    index = faiss.IndexIVFFlat(
        quantizer, centroids.shape[1], len(centroids), faiss.METRIC_INNER_PRODUCT
    )
    held = _held(targets, rows)
    cells = np.ascontiguousarray(learned["cells"], dtype=np.int64)
    index.is_trained = True
    index.add_core(len(rows), faiss.swig_ptr(held), None, faiss.swig_ptr(cells))
    index.nprobe = probes
    return FaissIndex(index, rows)


def _held(targets: FloatMatrix, rows: Rows) -> FloatMatrix:
    """The rows (m,) of the targets, without a copy where they are all."""
    return np.ascontiguousarray(targets if len(rows) == len(targets) else targets[rows])


def trained(targets: FloatMatrix, rows: Rows, filled: int, seed: int) -> tuple[FloatMatrix, Rows]:
    """Centroids of the cells (c, d), and the cell (m,) of each of the `rows` of the targets (n, d).

    A cell has about `filled` targets, none of which may be zero.
    """
    cells = np.zeros(len(rows), dtype=np.int32)
    count = 0
    for members in _length_ranges(targets, rows):
        own = _directions(targets, rows[members], -(-len(members) // filled), seed)
        used, numbers = np.unique(own, return_inverse=True)
        cells[members] = count + numbers
        count += len(used)
    return _centroids(targets, rows, cells, count), cells


def _length_ranges(targets: FloatMatrix, rows: Rows) -> Iterator[NDArray[np.int64]]:
    """Places of targets of similar length, longest first; lengths equal up to rounding together."""
    parts = blocks(len(rows), ROWS_AT_ONCE)
    lengths = np.concatenate([row_lengths(targets[rows[part]]) for part in parts])
    steps = np.log(lengths.max() / lengths) / np.log(LENGTH_RANGE)
    numbers = np.floor(steps + 1e-3).astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _directions(targets: FloatMatrix, rows: Rows, number: int, seed: int) -> NDArray[np.int64]:
    """The nearest of `number` directions to each target (m,), found by spherical k-means."""
    if number == 1:
        return np.zeros(len(rows), dtype=np.int64)
    size = min(len(rows), number * POINTS_PER_CENTROID)
    picked = np.sort(np.random.default_rng(seed).choice(len(rows), size, replace=False))
    kmeans = faiss_module().Kmeans(
        targets.shape[1],
        number,
        niter=ROUNDS,
        spherical=True,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=POINTS_PER_CENTROID,
    )
    kmeans.train(unit_rows(targets[rows[picked]]))
    nearest = [
        kmeans.index.search(np.ascontiguousarray(targets[rows[block]]), 1)[1][:, 0]
        for block in blocks(len(rows), ROWS_AT_ONCE)
    ]
    return np.concatenate(nearest)


def _centroids(targets: FloatMatrix, rows: Rows, cells: Rows, count: int) -> FloatMatrix:
    """The directions of the cells' means, scaled to the mean length of their targets (c, d)."""
    centroids = np.empty((count, targets.shape[1]), dtype=np.float32)
    order = np.argsort(cells, kind="stable")
    for cell, members in enumerate(np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)):
        held = targets[rows[members]]
        centroids[cell] = unit_rows(held.mean(axis=0)[None, :])[0] * row_lengths(held).mean()
    return centroids


def sample_of(targets: FloatMatrix, rows: Rows, seed: int) -> tuple[FloatMatrix, Rows]:
    """A sample of the targets as queries (s, d), and the rows of their 24 nearest (s, k)."""
    picked = np.random.default_rng(seed).choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    sample = targets[rows[np.sort(picked)]]
    faiss = faiss_module()
    _, nearest = faiss.knn(
        sample, _held(targets, rows), min(DEPTH, len(rows)), metric=faiss.METRIC_INNER_PRODUCT
    )
    return sample, rows[nearest]


def recall_of(wanted: Rows, found: Sequence[Rows] | Rows) -> float:
    """The share of the wanted rows (s, k) that were found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(wanted, found, strict=True)]
    return float(np.mean(shared) / wanted.shape[1])
