"""What any recipe must beat: best sellers, and what is bought together, counted and weighed.

Each maps interactions to the lists (n, depth) of all items. Everything works on blocks of rows, so
that no matrix of items by items is held but that of EASE.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import blocks
from recommender.core.interactions import Interactions, support
from recommender.core.neighbours import NONE, Neighbours
from recommender.evaluation.best import best_of_each, joined

BLOCK = 2048
EASE_LAMBDA = 500.0
EASE_MEMORY_SHARE = 1 / 8
EASE_BYTES_PER_PAIR = 3 * 8

Baseline = Callable[[Interactions, int], Neighbours]


def best_sellers(interactions: Interactions, depth: int) -> Neighbours:
    """The same list for everyone, without the asking item: (n, depth)."""
    sold = support(interactions.matrix())
    n_items = len(sold)
    best = np.full(depth + 1, NONE, dtype=np.int32)
    order = np.lexsort((np.arange(n_items), -sold))[: depth + 1]
    best[: len(order)] = np.where(sold[order] > 0, order, NONE)
    rows = np.tile(best, (n_items, 1))
    scores = np.where(rows == NONE, -np.inf, sold[rows]).astype(np.float32)
    own = rows == np.arange(n_items)[:, None]
    return Neighbours(rows, scores).keep(~own, depth)


def co_occurrence_counts(interactions: Interactions, depth: int) -> Neighbours:
    """Items that share the most units: (n, depth), equal counts in a hashed order."""
    seen = _binary(interactions)
    by_item: sp.csr_array = seen.T.tocsr()
    return joined(
        best_of_each(_without_own((by_item[block] @ seen).tocsr(), block.start), depth, block.start)
        for block in blocks(seen.shape[1], BLOCK)
    )


def implicit_cosine(interactions: Interactions, depth: int) -> Neighbours:
    """Items of the largest cosine of their units, by implicit: (n, depth)."""
    from implicit.nearest_neighbours import normalize

    return _implicit(interactions, depth, normalize)


def implicit_bm25(interactions: Interactions, depth: int) -> Neighbours:
    """Items of the largest BM25 weighted overlap of their units, by implicit: (n, depth).

    With the constants of its BM25Recommender.
    """
    from implicit.nearest_neighbours import bm25_weight

    return _implicit(interactions, depth, lambda counts: bm25_weight(counts, K1=1.2, B=0.75))


def ease(interactions: Interactions, depth: int) -> Neighbours:
    """Items of the largest weight in a linear model of all units: (n, depth).

    It inverts a matrix of items by items: ask `ease_fits` first.
    Source: Steck 2019, "Embarrassingly shallow autoencoders for sparse data".
    """
    seen = _binary(interactions)
    n_items = seen.shape[1]
    gram = (seen.T @ seen).toarray().astype(np.float64)
    gram[np.diag_indices(n_items)] += EASE_LAMBDA
    weights = np.linalg.inv(gram)
    del gram
    weights /= -np.diag(weights).copy()
    np.fill_diagonal(weights, 0)
    width = min(depth, n_items)
    rows = np.full((n_items, depth), NONE, dtype=np.int32)
    scores = np.full((n_items, depth), -np.inf, dtype=np.float32)
    for block in blocks(n_items, BLOCK):
        best = np.argpartition(-weights[block], width - 1, axis=1)[:, :width]
        value = np.take_along_axis(weights[block], best, axis=1)
        rows[block, :width] = np.where(value > 0, best, NONE)
        scores[block, :width] = value
    return Neighbours.ordered(rows, scores)


def ease_fits(n_items: int, memory_bytes: int) -> bool:
    """Whether EASE on n items keeps to an eighth of the machine's memory."""
    return n_items**2 * EASE_BYTES_PER_PAIR <= memory_bytes * EASE_MEMORY_SHARE


def _binary(interactions: Interactions) -> sp.csr_array:
    """Units by items (u, n), one where a unit has the item."""
    seen = interactions.matrix()
    seen.data = np.ones_like(seen.data)
    return seen


def _implicit(
    interactions: Interactions, depth: int, weigh: Callable[[sp.coo_matrix], sp.coo_matrix]
) -> Neighbours:
    """The neighbours of implicit's item-item models, which weigh items by units (n, u)."""
    from implicit.nearest_neighbours import ItemItemRecommender

    model = ItemItemRecommender(K=depth + 1)
    weighed = weigh(sp.coo_matrix(_binary(interactions).T))
    model.fit(sp.csr_matrix(weighed.T), show_progress=False)
    return _of_matrix(sp.csr_array(model.similarity), depth)


def _of_matrix(matrix: sp.csr_array, depth: int) -> Neighbours:
    """The best entries of each row of a sparse matrix of items by items."""
    return joined(
        best_of_each(_without_own(matrix[block], block.start), depth, block.start)
        for block in blocks(matrix.shape[0], BLOCK)
    )


def _without_own(scores: sp.csr_array, start: int) -> sp.csr_array:
    """The scores (b, n) of the items from `start` on, 0 where an item meets itself."""
    owner = start + np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    kept = np.where(scores.indices == owner, 0, scores.data)
    return sp.csr_array((kept, scores.indices, scores.indptr), shape=scores.shape)
