"""Fold-in: refreshed items are added to the fitted models, and inserted into lists of others.

Nothing is fitted anew. Insertion is by reverse neighbours: an item may enter the lists of the items
to which it is near.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.lists import Entries, NamedLists, RelatedLists, ranks_of
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import FittedFusion, RankingContext, VectorIndex
from recommender.core.recipe import Choice
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.live.list_deltas import NamedEntries
from recommender.ranking.chooser import Chooser
from recommender.ranking.evidence import EvidenceScale

AT_ONCE = 2
HOLDERS_PER_DEPTH = 4


@dataclass(frozen=True, slots=True)
class ExtendedIndex:
    """The index of the build, extended by the targets (k, d) of the refreshed `rows` (k,)."""

    index: VectorIndex
    targets: FloatMatrix
    rows: Rows

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """At most k neighbours for each query (b, d); refreshed rows by their new targets."""
        settled = self.index.search(queries, k + len(self.rows))
        stale = np.isin(settled.rows, self.rows)
        scores = np.asarray(queries @ self.targets.T, dtype=np.float32)
        known = queries.any(axis=1, keepdims=True) & self.targets.any(axis=1)
        rows = (
            np.where(stale, np.int32(NONE), settled.rows),
            np.where(known, self.rows, np.int32(NONE)),
        )
        return Neighbours.ordered(np.hstack(rows), np.hstack([settled.scores, scores])).keep_first(
            k
        )

    def columns(self) -> Columns:
        """No columns: the index is not stored."""
        return {}


def extended(
    base: RankingContext,
    items: Catalogue,
    content: Mapping[str, Embeddings],
    fusion: FittedFusion,
) -> RankingContext:
    """The context with the content of refreshed `items`, to which the fitted fusion is applied.

    Items of the build keep their interactions; new items follow them and have none. The catalogue
    of `base` has the refreshed items already, all else in it is that of the build.
    """
    n_items = len(base.catalogue)
    rows = base.catalogue.ids.rows(items.ids)
    known = np.flatnonzero(rows < len(base.vectors.queries))
    behaviour = {
        name: _rows_of(origin, rows[known], known, len(rows))
        for name, origin in base.origins.behaviour.items()
    }
    own = Origins(content, behaviour)
    applied = fusion.apply(own, items)
    with ThreadPoolExecutor(AT_ONCE) as pool:  # copying arrays releases the interpreter lock
        vectors = pool.submit(_vectors, base.vectors, rows, applied, n_items)
        extends = {
            name: pool.submit(_embeddings, origin, rows, own.by_name()[name], n_items)
            for name, origin in base.origins.by_name().items()
        }
    origins = Origins(
        {name: extends[name].result() for name in base.origins.content},
        {name: extends[name].result() for name in base.origins.behaviour},
    )
    return replace(
        base,
        origins=origins,
        vectors=vectors.result(),
        near_by_content=cache(lambda: _near(base, rows, origins.joined())),
    )


def _rows_of(origin: Embeddings, known: Rows, at: NDArray[np.intp], count: int) -> Embeddings:
    """The embeddings of the refreshed items in an origin; new items have none."""

    def taken(whole: FloatMatrix) -> FloatMatrix:
        return _with_rows(np.zeros((0, *whole.shape[1:])), at, whole[known], count)

    targets = None if origin.targets is None else taken(origin.targets)
    return Embeddings(taken(origin.matrix), taken(origin.support), targets)


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


def _with_rows(
    whole: FloatMatrix, rows: NDArray[np.integer], values: FloatMatrix, n_items: int
) -> FloatMatrix:
    """The array extended to `n_items` rows, zero where it had none, with some rows replaced."""
    made = np.empty((n_items, *whole.shape[1:]), dtype=np.float32)
    made[: len(whole)] = whole
    made[len(whole) :] = 0
    made[rows] = values
    return made


def _near(base: RankingContext, rows: Rows, content: Embeddings) -> Neighbours:
    """The nearest items by content of all items, as in the build for all but `rows`."""
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


class Insertions(NamedTuple):
    """Entries (e,) of refreshed items in the lists of other items.

    `provisional` (e,) marks items without interactions. Their place is `given` (e,) in the lists of
    their nearest items.
    """

    entries: NamedEntries
    provisional: NDArray[np.bool_]
    given: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ReverseNeighbours:
    """Decides which lists of a placement refreshed items enter.

    `lists` are those of all items, as they were before. The refreshed `rows` (k,) do not enter the
    lists of each other.
    """

    chooser: Chooser
    vectors: ItemVectors
    scale: EvidenceScale
    lists: NamedLists
    rows: Rows

    def insertions(self, provisional: NDArray[np.bool_]) -> Insertions:
        """The entries that rank and filters allow; `provisional` (k,) items have no interactions.

        Items that are in a list already are scored anew. Entries that score too low for a list are
        cut when the delta is applied.
        """
        holders, candidates = self._candidates()
        ranked = self.chooser.scorer.rank(holders, candidates)
        enters = ranked.found & self._passing(holders, ranked)
        enters &= ranked.scores >= self.chooser.placement.min_score
        codes = self.chooser.evidence(holders, ranked, self.scale)
        entries = Entries(ranked.rows, ranked.scores, codes)[enters]
        owners = holders[np.nonzero(enters)[0]]
        new = np.zeros(len(self.lists.ids), dtype=bool)
        new[self.rows] = provisional
        nearness = self.vectors.inner(owners, entries.rows[:, None])[:, 0]
        return Insertions(
            NamedEntries.of(self.lists.ids, owners, entries),
            new[entries.rows],
            new[entries.rows] & self._nearest(entries.rows, nearness),
        )

    def _candidates(self) -> tuple[Rows, Neighbours]:
        """The lists (b,) that refreshed items may enter, and which items (b, c), best first."""
        depth = self.chooser.placement.depth
        index = registry.index_builder(Choice("exact")).build(self.vectors.queries)
        found = index.search(
            self.vectors.targets[self.rows], HOLDERS_PER_DEPTH * depth + len(self.rows)
        )
        at = np.nonzero(found.found)
        holders, items = _holding(self.lists.lists, self.rows)
        near = np.stack([found.rows[at], self.rows[at[0]]], axis=1)
        pairs = np.unique(np.concatenate([near, np.stack([holders, items], axis=1)]), axis=0)
        pairs = pairs[~np.isin(pairs[:, 0], self.rows)]
        scores = self.vectors.inner(pairs[:, 0], pairs[:, 1:])[:, 0]
        return _by_holder(pairs, scores, depth)

    def _passing(self, holders: Rows, ranked: Neighbours) -> NDArray[np.bool_]:
        """Which items (b, c) pass the placement's filters after the entries of each list."""
        settled = _settled(self.lists.lists, holders, self.rows, self.chooser.placement.depth)
        joined = Neighbours(
            np.hstack([settled, ranked.rows]),
            np.hstack([np.ones(settled.shape, dtype=np.float32), ranked.scores]),
        ).keep_first(settled.shape[1] + ranked.rows.shape[1])
        kept = self.chooser.filtered(holders, joined)
        width = len(self.lists.ids)
        first = np.arange(len(holders), dtype=np.int64)[:, None] * width
        return np.isin(first + ranked.rows, (first + kept.rows)[kept.found])

    def _nearest(self, items: Rows, nearness: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which entries (e,) are in the lists of the `shown` nearest items of their item."""
        order = np.lexsort((-nearness, items))
        place = np.empty(len(items), dtype=np.int64)
        place[order] = ranks_of(np.bincount(items))
        return np.asarray(place < self.chooser.placement.shown)


def _holding(lists: RelatedLists, rows: Rows) -> tuple[Rows, Rows]:
    """The owners (e,) of lists that hold some of the rows, and the rows (e,) in them."""
    at = np.flatnonzero(np.isin(lists.entries.rows, rows))
    return lists.owners[at].astype(np.int32), lists.entries.rows[at]


def _by_holder(
    pairs: NDArray[np.int32], scores: NDArray[np.float32], depth: int
) -> tuple[Rows, Neighbours]:
    """Holders (b,) and their candidates (b, c), best first, at most `depth` of each."""
    order = np.lexsort((-scores, pairs[:, 0]))
    holders, sizes = np.unique(pairs[order, 0], return_counts=True)
    place = ranks_of(sizes)
    width = min(depth, int(sizes.max(initial=1)))
    kept = place < width
    owner = np.repeat(np.arange(len(holders)), sizes)[kept]
    rows = np.full((len(holders), width), NONE, dtype=np.int32)
    found = np.full((len(holders), width), -np.inf, dtype=np.float32)
    rows[owner, place[kept]] = pairs[order, 1][kept]
    found[owner, place[kept]] = scores[order][kept]
    return holders.astype(np.int32), Neighbours(rows, found)


def _settled(lists: RelatedLists, holders: Rows, leaving: Rows, depth: int) -> Rows:
    """The items in the lists of holders (b, depth), without those that are leaving."""
    sizes = lists.sizes[holders]
    rows = np.full((len(holders), max(depth, int(sizes.max(initial=0)))), NONE, dtype=np.int32)
    owner = np.repeat(np.arange(len(holders)), sizes)
    found = lists.entries.rows[lists.places(holders)]
    rows[owner, ranks_of(sizes)] = np.where(np.isin(found, leaving), np.int32(NONE), found)
    return rows
