"""The systems under evaluation: recipes, and the baselines that they must beat.

Both are fitted to interactions and return the lists (n, depth) of all items.
Baselines work on blocks of rows, so that no matrix of items by items is held except that of EASE.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np
import scipy.sparse as sp

from recommender import registry
from recommender.core.arrays import FloatMatrix, FloatVector, Rows, blocks
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, most_popular, support
from recommender.core.lists import Entries, ranks_of
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext, VectorIndex
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.core.telemetry import Progress
from recommender.core.vectors import Embeddings
from recommender.ranking.chooser import BLOCK, Chooser, prepare
from recommender.ranking.hubness import arranged, most_lists
from recommender.ranking.rankers.pair_features import CONTENT_WEIGHT, POWERS
from recommender.ranking.training_set import TemporalSplit, fit_interactions, fit_ranker
from recommender.vectors.behaviour.ease import ease_weights

DEPTH = 36
EASE_MEMORY_SHARE = 1 / 4
EASE_BYTES_PER_PAIR = 4 * 4

Fixed = tuple[Catalogue, Mapping[str, Embeddings], Callable[[], Neighbours]]
"""What does not depend on interactions: catalogue, content, and the nearest by content."""

ListBuilder = Callable[[Interactions, Rows | None], Mapping[str, Neighbours]]
"""Fits a system to interactions, and returns its lists (n, depth) by name.

Where some items ask, the lists of others may be empty.
"""

Baseline = Callable[[Interactions, int], Neighbours]
"""Fits a baseline to interactions, and returns its lists (n, depth) of all items."""


def related_lists(
    recipe: Recipe,
    fixed: Fixed,
    interactions: Interactions,
    progress: Progress,
    asking: Rows | None = None,
) -> dict[str, Neighbours]:
    """The lists (n, depth) of all items by placement, without best sellers as filler.

    Where only some items are `asking` (r,), the lists of the others are empty. See `choosers`.
    """
    made = choosers(recipe, fixed, interactions, progress)
    return {name: own_lists(chooser, progress, asking) for name, chooser in made}


def choosers(
    recipe: Recipe,
    fixed: Fixed,
    interactions: Interactions,
    progress: Progress,
) -> Iterator[tuple[str, Chooser]]:
    """What chooses the lists of each placement, by its name, with all models fitted."""
    catalogue, content, near = fixed
    capped = interactions.capped(recipe.trust.user_baskets)
    events = cache(capped.of_kinds)
    fitted_to = cache(lambda kinds: fit_interactions(recipe, events(kinds), content, progress))
    past = cache(
        lambda kinds: TemporalSplit.of(recipe, catalogue, events(kinds), content, near, progress)
    )

    @cache
    def ranked_in(kinds: tuple[str, ...], fusion: Choice) -> tuple[RankingContext, VectorIndex]:
        origins = fitted_to(kinds)
        fitted = registry.fusion(fusion).fuse(origins, catalogue, events(kinds))
        vectors = fitted.apply(origins, catalogue)
        users_min = recipe.trust.users_min
        context = RankingContext(catalogue, events(kinds), origins, vectors, near, users_min)
        return context, registry.index_builder(recipe.index).build(vectors.targets)

    for placement in recipe.placements:
        kinds = placement.kinds
        context, index = ranked_in(kinds, placement.fusion)
        ranker = fit_ranker(placement, partial(past, kinds))
        yield placement.name, prepare(placement, context, index, ranker)


def own_lists(chooser: Chooser, progress: Progress, asking: Rows | None = None) -> Neighbours:
    """The lists (n, depth) of all items with hubs bounded, without best sellers as filler.

    Where only some items are `asking` (r,), the others have empty lists, and hubs are bounded among
    the lists that there are.
    """
    rows = np.arange(len(chooser.catalogue), dtype=np.int32) if asking is None else asking
    lists, placement = unbounded_lists(chooser, progress, rows), chooser.placement
    if placement.hub_share:
        lists = bounded_lists(lists, chooser.sold[rows], placement, len(chooser.catalogue))
    return lists if asking is None else _spread(lists, rows, len(chooser.catalogue))


def unbounded_lists(chooser: Chooser, progress: Progress, rows: Rows) -> Neighbours:
    """The lists of items (r,) before hubs are bounded, as deep as the chooser makes them."""
    parts = []
    with progress(f"search and choose {chooser.placement.name}", len(rows)) as advance:
        for block in blocks(len(rows), BLOCK):
            parts.append(chooser.choose(rows[block]))
            advance(block.stop - block.start)
    return Neighbours.joined(parts)


def bounded_lists(
    lists: Neighbours, sold: FloatVector, placement: Placement, n_items: int
) -> Neighbours:
    """Lists (r, depth) with hubs bounded as among those of all items; theirs are `sold` (r,)."""
    sizes = lists.found.sum(axis=1)
    flat = Entries.padded(int(sizes.sum()))
    flat = replace(flat, rows=lists.rows[lists.found], scores=lists.scores[lists.found])
    most = max(1, most_lists(placement, n_items) * len(sizes) // n_items)
    places, owners, scores = arranged(sizes, sizes, sold, flat, placement, most)
    rank = ranks_of(np.bincount(owners, minlength=len(sizes)))
    rows = np.full((len(sizes), placement.depth), NONE, dtype=np.int32)
    best = np.full(rows.shape, -np.inf, dtype=np.float32)
    rows[owners, rank], best[owners, rank] = flat.rows[places], scores
    return Neighbours(rows, best)


def _spread(lists: Neighbours, rows: Rows, n_items: int) -> Neighbours:
    """The lists of some `rows` (r,) at their places among those of all items; others are empty."""
    found = np.full((n_items, lists.rows.shape[1]), NONE, dtype=np.int32)
    scores = np.full(found.shape, -np.inf, dtype=np.float32)
    found[rows], scores[rows] = lists.rows, lists.scores
    return Neighbours(found, scores)


def best_sellers(interactions: Interactions, depth: int) -> Neighbours:
    """The items in most units, the same list for all items, without the item itself: (n, depth)."""
    sold = support(interactions.matrix())
    n_items = len(sold)
    best = np.full(depth + 1, NONE, dtype=np.int32)
    ranked = most_popular(sold)[: depth + 1]
    best[: len(ranked)] = ranked
    rows = np.tile(best, (n_items, 1))
    scores = np.where(rows == NONE, -np.inf, sold[rows]).astype(np.float32)
    own = rows == np.arange(n_items)[:, None]
    return Neighbours(rows, scores).keep(~own, depth)


def co_occurrence_counts(interactions: Interactions, depth: int) -> Neighbours:
    """Items that share the most units: (n, depth). Equal counts are in a hashed order."""
    seen = _binary(interactions)
    by_item: sp.csr_array = seen.T.tocsr()
    return _best_of_blocks(lambda block: (by_item[block] @ seen).tocsr(), seen.shape[1], depth)


def implicit_cosine(interactions: Interactions, depth: int) -> Neighbours:
    """Items with the largest cosine of their units, by implicit: (n, depth)."""
    from implicit.nearest_neighbours import normalize

    return _implicit(interactions, depth, normalize)


def implicit_bm25(interactions: Interactions, depth: int) -> Neighbours:
    """Items with the largest BM25-weighted overlap of their units, by implicit: (n, depth).

    The constants are those of its BM25Recommender.
    """
    from implicit.nearest_neighbours import bm25_weight

    return _implicit(interactions, depth, lambda counts: bm25_weight(counts, K1=1.2, B=0.75))


def item_knn(
    interactions: Interactions, depth: int, content: FloatMatrix | None = None
) -> Neighbours:
    """Items with the largest count of shared units, scaled by the support of both: (n, depth).

    The count is divided by the root of the item's support, and by the tenth root of the other's.
    With `content` (n, d) of unit length, .3 of the cosine is added where it is positive.
    """
    seen = _binary(interactions)
    by_item: sp.csr_array = seen.T.tocsr()
    sold = np.maximum(support(seen), 1).astype(np.float32)
    scaled = by_item.multiply((sold ** -POWERS[0])[:, None]).tocsr().astype(np.float32)
    others = seen.multiply(sold ** -POWERS[1]).tocsr().astype(np.float32)

    def scores(block: slice) -> FloatMatrix:
        values: FloatMatrix = (scaled[block] @ others).toarray()
        if content is not None:
            values += CONTENT_WEIGHT * np.maximum(content[block] @ content.T, 0)
        return values

    return _largest_of_blocks(scores, seen.shape[1], depth)


def ease(interactions: Interactions, depth: int) -> Neighbours:
    """Items with the largest weight in a linear model of all units: (n, depth).

    Check `ease_fits` first.
    """
    weights = ease_weights(_binary(interactions))
    return _largest_of_blocks(lambda block: weights[block], len(weights), depth)


def ease_fits(n_items: int, memory_bytes: int) -> bool:
    """Whether EASE on n items needs at most a quarter of the machine's memory."""
    return n_items**2 * EASE_BYTES_PER_PAIR <= memory_bytes * EASE_MEMORY_SHARE


def memory_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _binary(interactions: Interactions) -> sp.csr_array:
    """Units by items (u, n), one where a unit has the item."""
    seen = interactions.matrix()
    seen.data = np.ones_like(seen.data)
    return seen


def _implicit(
    interactions: Interactions, depth: int, weigh: Callable[[sp.coo_matrix], sp.coo_matrix]
) -> Neighbours:
    """The neighbours of implicit's item-item models, which weight items by units (n, u)."""
    from implicit.nearest_neighbours import ItemItemRecommender

    model = ItemItemRecommender(K=depth + 1)
    weighed = weigh(sp.coo_matrix(_binary(interactions).T))
    model.fit(sp.csr_matrix(weighed.T), show_progress=False)
    similarity = sp.csr_array(model.similarity)
    return _best_of_blocks(lambda block: similarity[block], similarity.shape[0], depth)


def _largest_of_blocks(
    scores: Callable[[slice], FloatMatrix], n_items: int, depth: int
) -> Neighbours:
    """The lists (n, depth) of the positive scores (b, n) of each block, without the own item."""
    width = min(depth, n_items)
    rows = np.full((n_items, depth), NONE, dtype=np.int32)
    best = np.full((n_items, depth), -np.inf, dtype=np.float32)
    for block in blocks(n_items, BLOCK):
        values = scores(block).copy()
        values[np.arange(len(values)), np.arange(block.start, block.stop)] = 0
        found = np.argpartition(-values, width - 1, axis=1)[:, :width]
        value = np.take_along_axis(values, found, axis=1)
        rows[block, :width] = np.where(value > 0, found, NONE)
        best[block, :width] = value
    return Neighbours.ordered(rows, best)


def _best_of_blocks(
    scores: Callable[[slice], sp.csr_array], n_items: int, depth: int
) -> Neighbours:
    """The lists (n, depth) of the scores (b, n) of each block of rows, without the own item."""
    return Neighbours.joined(
        Neighbours.of_sparse(_without_own(scores(block), block.start), depth, block.start)
        for block in blocks(n_items, BLOCK)
    )


def _without_own(scores: sp.csr_array, start: int) -> sp.csr_array:
    """The scores (b, n) of the items from `start` on, with 0 for the item itself."""
    owner = start + np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    kept = np.where(scores.indices == owner, 0, scores.data)
    return sp.csr_array((kept, scores.indices, scores.indptr), shape=scores.shape)
