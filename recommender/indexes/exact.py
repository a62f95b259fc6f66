"""Exact search: every query against every target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.arrays import Columns, FloatMatrix, Rows
from recommender.neighbours import NONE, Neighbours


@dataclass(frozen=True, slots=True)
class Exact:
    """FAISS's flat inner-product index."""

    def build(self, targets: FloatMatrix) -> FaissIndex:
        """Index the targets (n, d)."""
        import faiss

        rows = nonzero_rows(targets)
        index = faiss.IndexFlatIP(targets.shape[1])
        if len(rows) == len(targets):
            index.add(np.ascontiguousarray(targets))
        else:
            index.add(np.ascontiguousarray(targets[rows]))
        return FaissIndex(index, rows)

    def restore(self, targets: FloatMatrix, columns: Columns) -> FaissIndex:
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
