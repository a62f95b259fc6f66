"""What any recipe must beat: best sellers, and counting what is bought together."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.arrays import Rows, blocks
from recommender.interactions import Interactions, support

BLOCK = 2048
NONE = -1


def best_sellers(interactions: Interactions, depth: int, seed: int = 0) -> Rows:
    """The same list for everyone, without the asking item: (n, depth)."""
    sold = support(interactions.matrix())
    return _top(lambda rows: np.tile(sold, (len(rows), 1)), len(sold), depth, seed)


def co_occurrence_counts(interactions: Interactions, depth: int, seed: int = 0) -> Rows:
    """Items that share the most units: (n, depth)."""
    return _co_occurrence(interactions, depth, seed, lambda counts, _rows, _sold: counts)


def co_occurrence_cosine(interactions: Interactions, depth: int, seed: int = 0) -> Rows:
    """Shared units over the root of both supports: (n, depth)."""

    def cosine(
        counts: NDArray[np.float32], rows: Rows, sold: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        norms = np.sqrt(np.maximum(sold, 1))
        weighed: NDArray[np.float32] = counts / (norms[rows][:, None] * norms)
        return weighed

    return _co_occurrence(interactions, depth, seed, cosine)


Weigh = Callable[[NDArray[np.float32], Rows, NDArray[np.float32]], NDArray[np.float32]]


def _co_occurrence(interactions: Interactions, depth: int, seed: int, weigh: Weigh) -> Rows:
    seen = interactions.matrix()
    seen.data = np.ones_like(seen.data)
    by_item: sp.csr_array = seen.T.tocsr()
    sold = support(seen)

    def scores(rows: Rows) -> NDArray[np.float32]:
        return weigh((by_item[rows] @ seen).toarray(), rows, sold)

    return _top(scores, len(sold), depth, seed)


def _top(
    scores_of: Callable[[Rows], NDArray[np.float32]], n_items: int, depth: int, seed: int
) -> Rows:
    """The best `depth` of all items, equal scores in a seeded order, zero scores left out."""
    tie = np.random.default_rng(seed).permutation(n_items)
    top = np.full((n_items, depth), NONE, dtype=np.int32)
    for block in blocks(n_items, BLOCK):
        rows = np.arange(block.start, block.stop, dtype=np.int32)
        scores = scores_of(rows).astype(np.float32)
        scores[np.arange(len(rows)), rows] = 0
        order = np.lexsort((np.broadcast_to(tie, scores.shape), -scores), axis=1)[:, :depth]
        best = np.take_along_axis(scores, order, axis=1)
        top[block, : order.shape[1]] = np.where(best > 0, order, NONE)
    return top
