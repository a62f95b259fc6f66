"""Cells of targets that point the same way and are about equally long.

Inner products grow with the length of a target: a popular one that is half as near is found before
a rare one. So targets are first parted by their length, then by direction, and a centroid has the
direction of its cell's mean and the length of its targets: the mean itself is the shorter the wider
a cell is, although its nearest targets are no farther. Sources: spherical k-means of Dhillon, Modha
2001, "Concept decompositions for large sparse text data using clustering"; ranges of length of Yan
et al. 2018, "Norm-ranging LSH for maximum inner product search".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import ROWS_AT_ONCE, FloatMatrix, Rows, blocks, row_lengths, unit_rows
from recommender.vectors.index.bf16_bounds import screens
from recommender.vectors.index.reranking import Places

CELL = 256
RANGE = 1.25
SAMPLE, ROUNDS = 48, 8
SMALLEST = 32


def trained(targets: FloatMatrix, rows: Rows, filled: int, seed: int) -> tuple[FloatMatrix, Rows]:
    """Centroids of the cells (c, d), and the cell (m,) of each of the `rows` of the targets (n, d).

    Cells have about `filled` targets and at most `CELL`; targets that are zero have no row here.
    """
    rng = np.random.default_rng(seed)
    cells = np.zeros(len(rows), dtype=np.int32)
    count = 0
    for members in _ranges(_lengths(targets, rows)):
        own = _directions(targets, rows[members], -(-len(members) // filled), rng)
        own = _divided(targets, rows[members], own)
        cells[members] = count + own
        count += int(own.max()) + 1
    return _centroids(targets, rows, cells, count), cells


def nearest_centroids(queries: FloatMatrix, centroids: FloatMatrix, number: int) -> Places:
    """The nearest centroids (b, number) of the queries (b, d), by inner product."""
    if not screens():
        found: Places = np.argpartition(-(queries @ centroids.T), number - 1, axis=1)[:, :number]
        return found
    import torch
    from torch.nn.functional import linear

    with torch.inference_mode():
        held = torch.from_numpy(centroids).bfloat16()
        given = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32))
        asked = torch.zeros((padded_size(len(given)), given.shape[1]), dtype=torch.bfloat16)
        asked[: len(given)] = given
        products = linear(asked, held)[: len(given)]
        best = products.topk(number, dim=1) if number > 1 else products.max(dim=1, keepdim=True)
        return np.asarray(best.indices.numpy())


def padded_size(size: int) -> int:
    """The next of a few sizes: a new shape costs oneDNN 30 ms of code generation."""
    padded = SMALLEST
    while padded < size:
        padded *= 2
    return padded


def _lengths(targets: FloatMatrix, rows: Rows) -> np.ndarray:
    return np.concatenate([row_lengths(targets[rows[b]]) for b in blocks(len(rows), ROWS_AT_ONCE)])


def _ranges(lengths: np.ndarray) -> Iterator[Places]:
    """Places of like length, the longest first; those that differ by rounding lie together."""
    steps = np.log(lengths.max() / lengths) / np.log(RANGE)
    numbers = np.floor(steps + 1e-3).astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _directions(targets: FloatMatrix, rows: Rows, number: int, rng: np.random.Generator) -> Rows:
    """The one of `number` directions that each target is nearest to (m,)."""
    if number == 1:
        return np.zeros(len(rows), dtype=np.int32)
    picked = np.sort(rng.choice(len(rows), min(len(rows), number * SAMPLE), replace=False))
    sample = unit_rows(targets[rows[picked]])
    centroids = sample[rng.choice(len(sample), number, replace=False)]
    for _ in range(ROUNDS):
        cells = _nearest(sample, centroids)
        shape = (number, len(sample))
        members = sp.csr_array(
            (np.ones(len(cells), np.float32), (cells, np.arange(len(cells)))), shape
        )
        fresh = sample[rng.choice(len(sample), number, replace=False)]
        empty = np.diff(members.indptr) == 0
        centroids = unit_rows(np.where(empty[:, None], fresh, members @ sample))
    return np.concatenate(
        [_nearest(targets[rows[block]], centroids) for block in blocks(len(rows), ROWS_AT_ONCE)]
    )


def _nearest(vectors: FloatMatrix, centroids: FloatMatrix) -> Rows:
    nearest = [
        nearest_centroids(vectors[block], centroids, 1)[:, 0]
        for block in blocks(len(vectors), ROWS_AT_ONCE)
    ]
    return np.concatenate(nearest).astype(np.int32)


def _divided(targets: FloatMatrix, rows: Rows, cells: Rows) -> Rows:
    """The cells in parts of at most `CELL`."""
    order = np.argsort(cells, kind="stable")
    divided = np.empty_like(cells)
    count = 0
    waiting = np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)
    while waiting:
        members = waiting.pop()
        if len(members) > CELL:
            waiting += _halves(targets[rows[members]], members)
        else:
            divided[members] = count
            count += 1
    return divided


def _halves(held: FloatMatrix, members: Places) -> list[Places]:
    """Members in two parts, along the way to the first's farthest target.

    They part at the widest gap of the middle half, so that what lies together stays together.
    """
    mean = held.mean(axis=0)
    along = held @ (held[np.argmin(held @ mean)] - mean)
    order = np.argsort(along, kind="stable")
    quarter = len(order) // 4
    gaps = np.diff(along[order[quarter:-quarter]])
    return np.split(members[order], [quarter + int(np.argmax(gaps)) + 1])


def _centroids(targets: FloatMatrix, rows: Rows, cells: Rows, count: int) -> FloatMatrix:
    """The directions of the cells' means, as long as their targets are on average (c, d)."""
    centroids = np.empty((count, targets.shape[1]), dtype=np.float32)
    order = np.argsort(cells, kind="stable")
    for cell, members in enumerate(np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)):
        held = targets[rows[members]]
        centroids[cell] = unit_rows(held.mean(axis=0)[None, :])[0] * row_lengths(held).mean()
    return centroids
