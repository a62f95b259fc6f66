"""Cells of vectors that are equally long: spherical k-means in bf16, large cells divided.

Source: Dhillon, Modha 2001, "Concept decompositions for large sparse text data using clustering".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.arrays import FloatMatrix, FloatVector, Rows, blocks, unit_rows
from recommender.indexes.pairs import Places

CELL = 256
SAMPLE = 64
ROUNDS = 8
AT_ONCE = 8192
SMALLEST = 32


@dataclass(frozen=True, slots=True)
class Lengthened:
    """Some targets with one more dimension √(M² - ‖t‖²), which makes them equally long.

    Inner products with queries, which are zero there, stay as they are (Neyshabur, Srebro 2015,
    "On symmetric and asymmetric LSHs for inner product search").
    """

    targets: FloatMatrix
    rows: Rows
    added: FloatVector

    @classmethod
    def of(cls, targets: FloatMatrix, rows: Rows) -> Lengthened:
        """The rows (m,) of the targets (n, d), which may be a memory map."""
        squares = np.empty(len(rows), dtype=np.float32)
        for block in blocks(len(rows), AT_ONCE):
            part = targets[rows[block]]
            squares[block] = np.einsum("nd,nd->n", part, part)
        return cls(targets, rows, np.sqrt(np.maximum(squares.max() - squares, 0)))

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: Places | slice) -> FloatMatrix:
        """The vectors (b, d + 1) at some places."""
        return np.column_stack([self.targets[self.rows[places]], self.added[places]])


def trained(vectors: Lengthened, number: int, seed: int) -> tuple[FloatMatrix, Rows]:
    """Centroids (c, d + 1) of length one, and the cell of each vector (m,).

    No cell has more than `CELL` vectors: a larger one is divided, so that there may be more cells
    than asked for.
    """
    rng = np.random.default_rng(seed)
    sample = vectors.at(
        np.sort(rng.choice(len(vectors), min(len(vectors), number * SAMPLE), False))
    )
    centroids = _drawn(sample, number, rng)
    for _ in range(ROUNDS):
        cells = nearest_centroids(sample, centroids, 1)[:, 0]
        order = np.argsort(cells, kind="stable")
        filled, firsts = np.unique(cells[order], return_index=True)
        centroids = _drawn(sample, number, rng)
        centroids[filled] = unit_rows(np.add.reduceat(sample[order], firsts, axis=0))
    return divided(vectors, centroids, _cells(vectors, centroids))


def nearest_centroids(queries: FloatMatrix, centroids: FloatMatrix, number: int) -> Places:
    """The nearest centroids (b, number) of the queries (b, d), by inner product in bf16."""
    import torch
    from torch.nn.functional import linear

    held = torch.from_numpy(centroids).bfloat16()
    found = [np.zeros((0, number), dtype=np.int64)]
    with torch.inference_mode():
        for block in blocks(len(queries), AT_ONCE):
            part = torch.from_numpy(np.ascontiguousarray(queries[block], dtype=np.float32))
            asked = part.new_zeros((padded_size(len(part)), part.shape[1]))
            asked[: len(part)] = part
            products = linear(asked.bfloat16(), held)[: len(part)]
            best = products.topk(number, dim=1).indices if number > 1 else products.argmax(1, True)
            found.append(best.numpy())
    return np.vstack(found)


def padded_size(size: int) -> int:
    """The next of a few sizes: a new shape costs oneDNN 30 ms of code generation."""
    padded = SMALLEST
    while padded < size:
        padded *= 2
    return padded


def _drawn(sample: FloatMatrix, number: int, rng: np.random.Generator) -> FloatMatrix:
    return unit_rows(sample[rng.choice(len(sample), number, replace=False)])


def _cells(vectors: Lengthened, centroids: FloatMatrix) -> Rows:
    cells = np.empty(len(vectors), dtype=np.int32)
    for block in blocks(len(vectors), AT_ONCE):
        cells[block] = nearest_centroids(vectors.at(block), centroids, 1)[:, 0]
    return cells


def divided(vectors: Lengthened, centroids: FloatMatrix, cells: Rows) -> tuple[FloatMatrix, Rows]:
    """The same, cells of more than `CELL` in equal parts along the way to their farthest vector."""
    sizes = np.bincount(cells, minlength=len(centroids))
    order = np.argsort(cells, kind="stable")
    ends = np.cumsum(sizes)
    centroids, cells, further = centroids.copy(), cells.copy(), list[FloatMatrix]()
    for cell in np.flatnonzero(sizes > CELL).tolist():
        members = order[ends[cell] - sizes[cell] : ends[cell]]
        held = vectors.at(members)
        farthest = held[np.argmin(held @ centroids[cell])]
        along = np.argsort(held @ (farthest - centroids[cell]), kind="stable")
        first, *others = np.array_split(along, -(-len(along) // CELL))
        centroids[cell] = unit_rows(held[first].mean(axis=0, keepdims=True))[0]
        for part in others:
            cells[members[part]] = len(centroids) + len(further)
            further.append(unit_rows(held[part].mean(axis=0, keepdims=True)))
    return np.vstack([centroids, *further]), cells
