"""Inverted file: search only the cells next to the query."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recommender.arrays import Columns, FloatMatrix, Rows
from recommender.errors import ConfigError
from recommender.indexes.cell_training import CELL, Lengthened, divided, trained
from recommender.indexes.cells import Cells
from recommender.indexes.exact import Exact, FaissIndex, nonzero_rows, screens
from recommender.indexes.faiss_kernels import faiss_module
from recommender.indexes.screened import Screened
from recommender.protocols import VectorIndex

SAMPLE = 256
DEPTH = 24
FIRST_PROBES = 8
FILLED = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InvertedFile:
    """Only the cells next to a query; as many as a sample needs for `recall` at 24 neighbours.

    Targets of unequal length get one more dimension √(M² - ‖t‖²), which is zero in every query:
    inner products stay as they are and all targets are equally long, as cells need it
    (Neyshabur, Srebro 2015).

    Where the processor multiplies bf16 and torch is installed, cells are `Cells`, one for every 200
    targets; else FAISS's, 4 √n of them. `cells` says how many there are instead.
    """

    recall: float = 0.98
    cells: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.recall <= 1:
            raise ConfigError(f"ivf: recall = {self.recall} is not in (0, 1]")
        if self.cells < 0:
            raise ConfigError(f"ivf: cells = {self.cells} is below 0")

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Train, fill and tune the index on the targets (n, d)."""
        faiss = faiss_module()
        rows = nonzero_rows(targets)
        if not len(rows):
            return Exact().build(targets)
        if screens():
            return self._cells(targets, rows)
        lengthened = equally_long(targets[rows])
        cells = min(self.cells or int(4 * np.sqrt(len(rows))), len(rows))
        quantizer = faiss.IndexFlatIP(lengthened.shape[1])
        index = faiss.IndexIVFFlat(
            quantizer, lengthened.shape[1], cells, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.spherical = True
        index.cp.seed = self.seed + 1
        index.cp.min_points_per_centroid = 1
        index.train(lengthened)
        index.add(lengthened)
        index.nprobe, recall = self._probes(index, lengthened)
        learned: Columns = {
            "recall": np.array(recall),
            "centroids": quantizer.reconstruct_n(0, cells),
            "cells": quantizer.assign(lengthened, 1)[:, 0].astype(np.int32),
            "probes": np.array(index.nprobe),
        }
        return FaissIndex(index, rows, dimensions_added=1, learned=learned)

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """Fill the trained cells again: no k-means, no search for the number of probes."""
        if not columns:
            return self.build(targets)
        rows = nonzero_rows(targets)
        if screens():
            centroids, cells = columns["centroids"], columns["cells"]
            if np.bincount(cells).max() > CELL:
                centroids, cells = divided(Lengthened.of(targets, rows), centroids, cells)
            made = Cells.of(targets, rows, cells, centroids[:, :-1], int(columns["probes"]))
            return replace(made, learned=columns)
        faiss = faiss_module()
        lengthened = equally_long(targets[rows])
        centroids = np.ascontiguousarray(columns["centroids"])
        quantizer = faiss.IndexFlatIP(lengthened.shape[1])
        quantizer.add(centroids)
        index = faiss.IndexIVFFlat(
            quantizer, lengthened.shape[1], len(centroids), faiss.METRIC_INNER_PRODUCT
        )
        cells = np.ascontiguousarray(columns["cells"], dtype=np.int64)
        index.add_core(len(rows), faiss.swig_ptr(lengthened), None, faiss.swig_ptr(cells))
        index.nprobe = int(columns["probes"])
        return FaissIndex(index, rows, dimensions_added=1, learned=columns)

    def _cells(self, targets: FloatMatrix, rows: Rows) -> Cells:
        """Train, fill and tune cells that are searched in bf16."""
        number = min(self.cells or -(-len(rows) // FILLED), len(rows))
        centroids, cells = trained(Lengthened.of(targets, rows), number, self.seed)
        index = Cells.of(targets, rows, cells, centroids[:, :-1], FIRST_PROBES)
        picked = np.random.default_rng(self.seed).choice(len(rows), min(SAMPLE, len(rows)), False)
        sample = targets[rows[np.sort(picked)]]
        wanted = Screened.of(targets, rows).search(sample, DEPTH).rows
        reached = 0.0
        probes = FIRST_PROBES
        while True:
            index = replace(index, probes=min(probes, len(centroids)))
            reached = recall_of(wanted, index.search(sample, DEPTH).rows)
            if reached >= self.recall or probes >= len(centroids):
                break
            probes *= 2
        _log.info("cells=%d probes=%d recall=%.3f", len(centroids), index.probes, reached)
        learned: Columns = {
            "recall": np.array(reached),
            "centroids": centroids,
            "cells": cells,
            "probes": np.array(index.probes),
        }
        return replace(index, learned=learned)

    def _probes(self, index: Any, lengthened: FloatMatrix) -> tuple[int, float]:  # noqa: ANN401
        """The fewest probes, doubled from 8, with which a sample reaches the recall, and that."""
        sample, wanted = sample_of(lengthened, self.seed)
        probes, reached = FIRST_PROBES, 1.0
        while probes < index.nlist:
            index.nprobe = probes
            reached = recall_of(wanted, index.search(sample, wanted.shape[1])[1])
            if reached >= self.recall:
                break
            probes, reached = 2 * probes, 1.0
        _log.info("cells=%d probes=%d recall=%.3f", index.nlist, probes, reached)
        return min(probes, int(index.nlist)), reached


def equally_long(targets: FloatMatrix) -> FloatMatrix:
    """The targets (n, d) with one more dimension, all as long as the longest: (n, d + 1)."""
    squares = np.einsum("nd,nd->n", targets, targets)
    added = np.sqrt(np.maximum(squares.max() - squares, 0))
    return np.ascontiguousarray(np.column_stack([targets, added]), dtype=np.float32)


def sample_of(lengthened: FloatMatrix, seed: int) -> tuple[FloatMatrix, np.ndarray]:
    """Some targets as queries (s, d + 1), and the entries of their 24 nearest (s, k)."""
    rng = np.random.default_rng(seed)
    picked = rng.choice(len(lengthened), min(SAMPLE, len(lengthened)), replace=False)
    sample = lengthened[np.sort(picked)].copy()
    sample[:, -1] = 0
    k = min(DEPTH, len(lengthened))
    return sample, np.argpartition(-(sample @ lengthened.T), k - 1, axis=1)[:, :k]


def recall_of(wanted: np.ndarray, found: Sequence[Sequence[int]] | np.ndarray) -> float:
    """The share of the wanted entries (s, k) that were found."""
    shared = [len(np.intersect1d(a, b)) for a, b in zip(wanted, found, strict=True)]
    return float(np.mean(shared) / wanted.shape[1])
