"""Extension: what lists are chosen from, with refreshed items in it, without any fit."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from recommender import registry
from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import FittedFusion, VectorIndex
from recommender.core.recipe import Choice
from recommender.core.vectors import Embeddings, ItemVectors, Origins

AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Beside:
    """The build's index, and beside it the targets (k, d) of refreshed `rows` (k,)."""

    index: VectorIndex
    targets: FloatMatrix
    rows: Rows

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """At most k neighbours for each query (b, d); what the build had of `rows` is not found."""
        width = k + len(self.rows)
        settled = self.index.search(queries, width)
        stale = np.isin(settled.rows, self.rows)
        scores = np.asarray(queries @ self.targets.T, dtype=np.float32)
        known = queries.any(axis=1, keepdims=True) & self.targets.any(axis=1)
        return Neighbours.ordered(
            np.hstack(
                [
                    np.where(stale, np.int32(NONE), settled.rows),
                    np.where(known, self.rows, np.int32(NONE)),
                ]
            ),
            np.hstack([settled.scores, scores]),
        ).keep_first(k)

    def columns(self) -> Columns:
        """Nothing: it lives no longer than a refresh."""
        return {}


def extended(
    base: RankingContext,
    items: Catalogue,
    content: Mapping[str, Embeddings],
    fusion: FittedFusion,
) -> RankingContext:
    """The context with refreshed `items` and their content, applied to the fitted fusion.

    Items that the build has keep their interactions, others stand behind them and have none.
    The catalogue of `base` has the items already; all else of it is that of the build.
    """
    catalogue = base.catalogue
    n_items = len(base.vectors.queries)
    rows = catalogue.ids.rows(items.ids)
    known = np.flatnonzero(rows < n_items)
    behaviour = {
        name: _taken(origin, rows[known], known, len(rows))
        for name, origin in base.origins.behaviour.items()
    }
    own = Origins(content, behaviour)
    applied = fusion.apply(own, items)
    with ThreadPoolExecutor(AT_ONCE) as pool:  # whoever copies holds no interpreter
        vectors = pool.submit(_vectors, base.vectors, rows, applied, len(catalogue))
        extends = {
            name: pool.submit(_embeddings, origin, rows, own.by_name()[name], len(catalogue))
            for name, origin in base.origins.by_name().items()
        }
    embeddings = {name: made.result() for name, made in extends.items()}
    origins = Origins(
        {name: embeddings[name] for name in base.origins.content},
        {name: embeddings[name] for name in base.origins.behaviour},
    )
    return replace(
        base,
        origins=origins,
        vectors=vectors.result(),
        near_by_content=cache(lambda: _near(base, rows, origins.joined())),
    )


def _taken(origin: Embeddings, known: Rows, at: np.ndarray, count: int) -> Embeddings:
    """What an origin knows of the refreshed items: of those that are new, nothing."""

    def rows_of(whole: FloatMatrix) -> FloatMatrix:
        taken = np.zeros((count, *whole.shape[1:]), dtype=np.float32)
        taken[at] = whole[known]
        return taken

    targets = None if origin.targets is None else rows_of(origin.targets)
    return Embeddings(rows_of(origin.matrix), rows_of(origin.support), targets)


def _embeddings(origin: Embeddings, rows: Rows, own: Embeddings, n_items: int) -> Embeddings:
    targets = None
    if origin.targets is not None and own.targets is not None:
        targets = _with_rows(origin.targets, rows, own.targets, n_items)
    return Embeddings(
        _with_rows(origin.matrix, rows, own.matrix, n_items),
        _with_rows(origin.support, rows, own.support, n_items),
        targets,
    )


def _vectors(base: ItemVectors, rows: Rows, own: ItemVectors, n_items: int) -> ItemVectors:
    queries = _with_rows(base.queries, rows, own.queries, n_items)
    if own.targets is own.queries:
        return ItemVectors(queries, queries, base.bound)
    return ItemVectors(queries, _with_rows(base.targets, rows, own.targets, n_items), base.bound)


def _with_rows(whole: FloatMatrix, rows: Rows, values: FloatMatrix, n_items: int) -> FloatMatrix:
    """The array with the values of some rows replaced, which may stand behind its end."""
    made = np.empty((n_items, *whole.shape[1:]), dtype=np.float32)
    made[: len(whole)] = whole
    made[rows] = values
    return made


def _near(base: RankingContext, rows: Rows, content: Embeddings) -> Neighbours:
    """The items near by content of all items; of those that were not refreshed, as in the build."""
    near = base.near_by_content()
    n_items, width = len(content.matrix), near.rows.shape[1]
    index = registry.index_builder(Choice("exact")).build(content.matrix)
    found = index.search(content.matrix[rows], width + 1)
    fresh = found.keep(found.rows != rows[:, None], width)
    made_rows = np.full((n_items, width), NONE, dtype=np.int32)
    scores = np.full((n_items, width), -np.inf, dtype=np.float32)
    made_rows[: len(near.rows)], scores[: len(near.rows)] = near.rows, near.scores
    made_rows[rows], scores[rows] = NONE, -np.inf
    count = fresh.rows.shape[1]
    made_rows[rows, :count], scores[rows, :count] = fresh.rows, fresh.scores
    return Neighbours(made_rows, scores)
