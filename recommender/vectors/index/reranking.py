"""Pairs of queries and targets that may belong together, ranked by their true products."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, blocks
from recommender.core.neighbours import NONE, Neighbours

NUMBERS, KEYS = 2**17, 2**22
"""Of vectors multiplied at once, as many as fit into a core's cache; of a matrix of keys."""
SIGN = np.uint32(1 << 31)
LAST = np.uint64(2**64 - 1)

Places = NDArray[np.int64]


def ranked(
    targets: FloatMatrix, queries: FloatMatrix, asking: Places, rows: Rows, k: int
) -> Neighbours:
    """The best k (b, k) of pairs (p,) of queries and rows, by their products in fp32.

    Equal scores are ordered by row; a zero query has no neighbours.
    """
    order = np.argsort(asking, kind="stable")
    asking, rows = asking[order], rows[order]
    scores = inner_products(queries, targets, asking, rows)
    best = np.full((len(queries), k), NONE, dtype=np.int32)
    best_scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    bounds = np.searchsorted(asking, np.arange(len(queries) + 1))
    for block in _of_like_width(np.diff(bounds)):
        pairs = slice(bounds[block.start], bounds[block.stop])
        places = np.arange(pairs.start, pairs.stop) - bounds[asking[pairs]]
        keys = np.full((block.stop - block.start, max(k, int(places.max(initial=0)) + 1)), LAST)
        keys[asking[pairs] - block.start, places] = _keys(scores[pairs], rows[pairs])
        keys.sort(axis=1)
        best[block], best_scores[block] = _of_keys(keys[:, :k])
    blank = ~np.asarray(queries.any(axis=1))
    best[blank], best_scores[blank] = NONE, -np.inf
    return Neighbours(best, best_scores)


def inner_products(
    queries: FloatMatrix, targets: FloatMatrix, asking: Places, rows: Rows | Places
) -> FloatVector:
    """The products (p,) in fp32 of pairs of queries and rows of the targets, each on its own."""
    products = np.empty(len(asking), dtype=np.float32)
    for pairs in blocks(len(asking), max(1, NUMBERS // queries.shape[1])):
        np.einsum("pd,pd->p", queries[asking[pairs]], targets[rows[pairs]], out=products[pairs])
    return products


def _of_like_width(counts: Places) -> Iterator[slice]:
    """Blocks of queries, so that a matrix as wide as the widest of each holds `KEYS` at most."""
    start, widest = 0, 1
    for query, count in enumerate(counts.tolist()):
        widest = max(widest, count)
        if query > start and widest * (query + 1 - start) > KEYS:
            yield slice(start, query)
            start, widest = query, max(1, count)
    yield slice(start, len(counts))


def _keys(scores: FloatVector, rows: Rows) -> NDArray[np.uint64]:
    """Numbers that ascend as scores descend, and as rows ascend where scores are equal."""
    bits = (scores + np.float32(0)).view(np.uint32)  # so that -0 is 0
    ascending = np.where(bits & SIGN, ~bits, bits | SIGN)
    return (~ascending).astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64)


def _of_keys(keys: NDArray[np.uint64]) -> tuple[Rows, FloatMatrix]:
    """The rows and scores of keys."""
    ascending = ~(keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(ascending & SIGN, ascending & ~SIGN, ~ascending)
    empty = keys == LAST
    rows = np.where(empty, NONE, (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)).astype(np.int32)
    return rows, np.where(empty, np.float32(-np.inf), bits.view(np.float32))
