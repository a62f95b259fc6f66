"""Exact search: every query against every target."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.cpu import openblas_core
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import VectorIndex
from recommender.errors import ConfigError
from recommender.vectors.index.two_pass_exact import Screened, screens


@dataclass(frozen=True, slots=True)
class Exact:
    """The largest inner products of all, by the fastest way that this machine has.

    From `screened_from` items on, where the processor multiplies bf16 and torch is installed, all
    products are screened in bf16; else FAISS's flat index multiplies them in fp32. Both are exact:
    what is found differs by the rounding of fp32 alone.
    """

    screened_from: int = 30_000

    def __post_init__(self) -> None:
        if self.screened_from < 0:
            raise ConfigError(f"exact: screened_from = {self.screened_from} is below 0")

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Index the targets (n, d)."""
        rows = nonzero_rows(targets)
        if 0 < len(rows) >= self.screened_from and screens():
            return Screened.of(targets, rows)
        index = faiss_module().IndexFlatIP(targets.shape[1])
        kept = targets if len(rows) == len(targets) else targets[rows]
        index.add(np.ascontiguousarray(kept))
        return FaissIndex(index, rows)

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """Index the targets again: a copy costs less than a file."""
        return self.build(targets)


@dataclass(frozen=True, slots=True)
class FaissIndex:
    """A FAISS index over the targets that are not zero; `rows` (entries,) are their rows.

    `dimensions_added` zero columns are put behind a query, where targets were made equally long
    by further dimensions.
    """

    index: Any
    rows: Rows
    dimensions_added: int = 0
    learned: Columns = field(default_factory=dict)

    def columns(self) -> Columns:
        """What building it learned."""
        return self.learned

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """At most k neighbours (b, k) of the queries (b, d); a zero query has none.

        FAISS pads with -1 where there are fewer than k, which becomes `NONE` here.
        """
        k = max(1, min(k, len(self.rows)))
        if not len(self.rows):
            return Neighbours(
                np.full((len(queries), k), NONE, dtype=np.int32),
                np.full((len(queries), k), -np.inf, dtype=np.float32),
            )
        asked = np.ascontiguousarray(queries, dtype=np.float32)
        if self.dimensions_added:
            asked = np.pad(asked, ((0, 0), (0, self.dimensions_added)))
        scores, entries = self.index.search(asked, k)
        blank = ~asked.any(axis=1, keepdims=True)
        rows = np.where((entries < 0) | blank, NONE, self.rows[np.maximum(entries, 0)])
        return Neighbours.ordered(rows.astype(np.int32), scores)


def nonzero_rows(targets: FloatMatrix) -> Rows:
    """Rows (m,) of the targets that are not zero."""
    return np.flatnonzero(targets.any(axis=1)).astype(np.int32)


VARIABLE = "OPENBLAS_CORETYPE"


def faiss_module() -> ModuleType:
    """The module faiss, loaded with the right kernels."""
    core = openblas_core()
    mended = "faiss" not in sys.modules and VARIABLE not in os.environ and core is not None
    if mended:
        os.environ[VARIABLE] = str(core)
    try:
        import faiss
    finally:
        if mended:
            del os.environ[VARIABLE]
    return faiss
