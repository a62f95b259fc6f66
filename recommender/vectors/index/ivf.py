"""Inverted file: search only the cells next to the query."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.protocols import VectorIndex
from recommender.errors import ConfigError
from recommender.vectors.index.bf16_bounds import screens
from recommender.vectors.index.cell_training import trained
from recommender.vectors.index.cells import Cells
from recommender.vectors.index.exact import Exact, FaissIndex, faiss_module, nonzero_rows
from recommender.vectors.index.recall import DEPTH, recall_of, sample_of

FILLED = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InvertedFile:
    """Only the cells next to a query; as many as a sample needs for `recall` at 24 neighbours.

    Where the processor multiplies bf16 and torch is installed they are searched as `Cells`, else by
    FAISS's IVF index. `cells` says about how many there are; 0 means one for every 200 targets. At
    least `probes_min` of them are looked into: nine in ten vectors lie in the cell next to them,
    999 in a thousand in one of four.
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
        """Train, fill and tune the index on the targets (n, d)."""
        rows = nonzero_rows(targets)
        if not len(rows):
            return Exact().build(targets)
        filled = max(1, len(rows) // self.cells) if self.cells else FILLED
        centroids, cells = trained(targets, rows, filled, self.seed)
        learned: Columns = {"centroids": centroids, "cells": cells}
        sample, wanted = sample_of(targets, rows, self.seed)
        probes = min(self.probes_min, len(centroids))
        index = _filled(targets, rows, learned, probes)
        while True:
            reached = recall_of(wanted, index.search(sample, DEPTH).rows)
            if reached >= self.recall or probes == len(centroids):
                break
            probes = min(2 * probes, len(centroids))
            index = _probing(index, probes)
        _log.info("cells=%d probes=%d recall=%.3f", len(centroids), probes, reached)
        learned |= {"probes": np.array(probes), "recall": np.array(reached)}
        return replace(index, learned=learned)

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """Fill the trained cells again: no k-means, no search for the number of probes."""
        if not columns:
            return self.build(targets)
        index = _filled(targets, nonzero_rows(targets), columns, int(columns["probes"]))
        return replace(index, learned=columns)


def _filled(targets: FloatMatrix, rows: Rows, learned: Columns, probes: int) -> Cells | FaissIndex:
    centroids = np.array(learned["centroids"])  # torch warns of what cannot be written to
    if screens():
        return Cells.of(targets, rows, learned["cells"], centroids, probes)
    faiss = faiss_module()
    quantizer = faiss.IndexFlatIP(centroids.shape[1])
    quantizer.add(centroids)
    index = faiss.IndexIVFFlat(
        quantizer, centroids.shape[1], len(centroids), faiss.METRIC_INNER_PRODUCT
    )
    held = np.ascontiguousarray(targets if len(rows) == len(targets) else targets[rows])
    cells = np.ascontiguousarray(learned["cells"], dtype=np.int64)
    index.is_trained = True
    index.add_core(len(rows), faiss.swig_ptr(held), None, faiss.swig_ptr(cells))
    index.nprobe = probes
    return FaissIndex(index, rows)


def _probing(index: Cells | FaissIndex, probes: int) -> Cells | FaissIndex:
    """The same index looking into so many cells."""
    if isinstance(index, Cells):
        return replace(index, probes=probes)
    index.index.nprobe = probes
    return index
