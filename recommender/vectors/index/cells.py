"""Cells: only what lies near a query is multiplied, for many queries at once, in bf16.

Targets are kept in bf16, cell by cell, and all queries of a block that look into a cell are
multiplied with it together: one product of matrices instead of a walk per query. What may be among
the nearest of the cells that were looked into is multiplied again in fp32, with the bound that
exact search has, so that nothing is lost but what lies in other cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, FloatMatrix, Rows, blocks
from recommender.core.cpu import torch_threads
from recommender.core.neighbours import NONE, Neighbours
from recommender.vectors.index.bf16_bounds import SUMMED, at_least, group_peaks, largest, lowest
from recommender.vectors.index.cell_training import CELL, SMALLEST, nearest_centroids, padded_size
from recommender.vectors.index.reranking import Found, Places, joined, ranked

if TYPE_CHECKING:
    import torch

QUERIES, PRODUCTS = 16_384, 2**25
"""Of one thread at once."""
GROUP, GROUPS_PER_NEIGHBOUR = 32, 4


@dataclass(frozen=True, slots=True)
class Cells:
    """The nearest targets of those in the `probes` cells whose centroids are nearest.

    `rows` (m,) are those of the targets (n, d) that are not zero, `centroids` (c, d) those of the
    cells. `targets` may be a memory map: beside it stand two bytes a dimension of each place in
    the cells that were looked into.
    """

    targets: FloatMatrix
    rows: Rows
    centroids: FloatMatrix
    probes: int
    layout: Callable[[], Layout]
    learned: Columns

    @classmethod
    def of(
        cls, targets: FloatMatrix, rows: Rows, cells: Rows, centroids: FloatMatrix, probes: int
    ) -> Cells:
        """Targets each of which lies in a cell (m,); a cell is rounded when first looked into."""
        layout = cache(lambda: Layout.of(targets, rows, cells, len(centroids)))
        return cls(targets, rows, centroids, probes, layout, {})

    def columns(self) -> Columns:
        """What building it learned."""
        return self.learned

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """At most k neighbours (b, k) of the queries (b, d); a zero query has none.

        Equal scores stand by row. As many blocks of queries side by side as torch has threads.
        """
        k = max(1, min(k, len(self.rows)))
        self.layout()
        asked = list(blocks(len(queries), self._at_once(len(queries))))
        with torch_threads() as pool:
            found = pool.map(lambda block: self._probed(queries[block]), asked)
            probed = np.vstack([np.zeros((0, self.probes), dtype=np.int64), *found])
            order = np.argsort(probed[:, 0], kind="stable")
            neighbours = joined(
                list(
                    pool.map(lambda block: self._nearest(queries, probed, order[block], k), asked)
                ),
                k,
            )
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return Neighbours(neighbours.rows[place], neighbours.scores[place])

    def _at_once(self, count: int) -> int:
        """How many of so many queries a thread takes at once."""
        import torch

        share = -(-count // torch.get_num_threads())
        return max(SMALLEST, min(QUERIES, PRODUCTS // (self.probes * CELL), share))

    def _probed(self, queries: FloatMatrix) -> Places:
        return nearest_centroids(queries, self.centroids, self.probes)

    def _nearest(self, queries: FloatMatrix, probed: Places, block: Places, k: int) -> Found:
        """Of a block of queries that look into about the same cells: those stay in the cache."""
        import torch

        asked = np.array(queries[block], dtype=np.float32)
        with torch.inference_mode():
            asking, rows = self.layout().candidates(asked, probed[block], k)
        return ranked(self.targets, asked, asking, rows, k)


@dataclass(frozen=True, slots=True)
class Layout:
    """Targets in bf16, cell by cell: `CELL` places each, `rows` (c, CELL) `NONE` where empty.

    `rounded` (c, CELL, d) of a cell is written when it is first looked into, and `longest` and
    `lost` (c,) then are the length of its longest target and the most that rounding took: not
    numbers until then. `filled` (c, CELL) is added to a product, -inf where a place is empty.
    """

    targets: FloatMatrix
    rows: Rows
    rounded: torch.Tensor
    filled: torch.Tensor
    longest: NDArray[np.float64]
    lost: NDArray[np.float64]
    writing: Lock

    @classmethod
    def of(cls, targets: FloatMatrix, rows: Rows, cells: Rows, n_cells: int) -> Layout:
        """Give the targets places, no more than `CELL` of which lie in one cell (m,)."""
        import torch

        order = np.argsort(cells, kind="stable")
        sizes = np.bincount(cells, minlength=n_cells)
        within = np.arange(len(order)) - (np.cumsum(sizes) - sizes)[cells[order]]
        row_of = np.full((n_cells, CELL), NONE, dtype=np.int32)
        row_of[cells[order], within] = rows[order]
        rounded = torch.empty((n_cells, CELL, targets.shape[1]), dtype=torch.bfloat16)
        filled = torch.where(torch.from_numpy(row_of != NONE), 0.0, -torch.inf).bfloat16()
        longest, lost = np.full((2, n_cells), np.nan)
        return cls(targets, row_of, rounded, filled, longest, lost, Lock())

    def write(self, cells: Places) -> None:
        """Round the targets of those cells (v,) that were not yet looked into."""
        import torch

        with self.writing:
            for cell in cells[np.isnan(self.longest[cells])].tolist():
                rows = self.rows[cell][self.rows[cell] != NONE]
                given = torch.from_numpy(self.targets[rows])
                part = self.rounded[cell, : len(rows)].copy_(given).float()
                self.rounded[cell, len(rows) :] = 0
                self.lost[cell] = _longest(given - part) * (1 + SUMMED)
                self.longest[cell] = max(_longest(given), _longest(part)) * (1 + SUMMED)

    def candidates(self, queries: FloatMatrix, probed: Places, k: int) -> tuple[Places, Rows]:
        """Queries and rows (p,) that may belong together, of the cells (b, p) that are probed."""
        import torch

        given = torch.from_numpy(queries)
        rounded = given.bfloat16()
        visited = np.flatnonzero(np.bincount(probed.ravel(), minlength=len(self.rows)))
        self.write(visited)
        longest, lost = float(self.longest[visited].max()), float(self.lost[visited].max())
        products = self._products(rounded, probed)
        size = products.shape[1]
        group = GROUP
        while group > 1 and size < group * GROUPS_PER_NEIGHBOUR * k:
            group //= 2
        grouped = products.view(len(products), group, size // group)
        peaks = group_peaks(grouped)
        error = (given - rounded.float()).norm(dim=1) * longest
        error += rounded.float().norm(dim=1) * (lost + SUMMED * given.shape[1] * longest)
        best = lowest(largest(peaks, min(k, peaks.shape[1]))[:, 0].bfloat16())
        least = (best - 2 * error).bfloat16()
        least[best.isinf()] = torch.finfo(torch.bfloat16).min
        asking, places = (found.numpy() for found in at_least(grouped, peaks, least))
        return asking, self.rows[probed[asking, places // CELL], places % CELL]

    def _products(self, queries: torch.Tensor, probed: Places) -> torch.Tensor:
        """Products of each query with the places of its cells (b, p * CELL), -inf where empty.

        A cell is multiplied with few numbers of queries, some of them needlessly: a new shape
        costs oneDNN 30 ms.
        """
        import torch
        from torch.nn.functional import linear

        made = queries.new_empty((probed.size, CELL))
        order = np.argsort(probed, axis=None, kind="stable")
        cells, firsts = np.unique(probed.ravel()[order], return_index=True)
        sizes = np.diff(np.append(firsts, len(order)))
        asking = np.zeros(len(order) + padded_size(int(sizes.max())), dtype=np.int64)
        asking[: len(order)] = order // probed.shape[1]
        into, asked = torch.from_numpy(order), torch.from_numpy(asking)
        for cell, first, size in zip(cells.tolist(), firsts.tolist(), sizes.tolist(), strict=True):
            together = queries[asked[first : first + padded_size(size)]]
            products = linear(together, self.rounded[cell], self.filled[cell])
            made.index_copy_(0, into[first : first + size], products[:size])
        return made.view(len(probed), -1)


def _longest(vectors: torch.Tensor) -> float:
    return float(vectors.norm(dim=1).max()) if len(vectors) else 0.0
