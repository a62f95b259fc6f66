"""Entrances: the lists of other items that refreshed items enter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.core.arrays import Rows
from recommender.core.lists import Lists
from recommender.core.neighbours import NONE, Neighbours, RelatedLists
from recommender.core.recipe import Choice
from recommender.core.vectors import ItemVectors
from recommender.live.list_deltas import Entries
from recommender.ranking.chooser import Chooser
from recommender.ranking.evidence import EvidenceScale

HOLDERS_PER_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Entrances:
    """Entries (e,) of refreshed items in lists of others, and those whose place is given.

    A place is given to an item without interactions in the lists of its nearest items.
    """

    entries: Entries
    provisional: NDArray[np.bool_]
    given: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Entering:
    """What decides who enters a placement's lists, as they were before.

    `lists` are those of all items; the refreshed `rows` (k,) are not taken into each other's.
    """

    chooser: Chooser
    vectors: ItemVectors
    scale: EvidenceScale
    lists: Lists
    rows: Rows

    def entrances(self, provisional: NDArray[np.bool_]) -> Entrances:
        """Where the refreshed items may stand, by rank and rules; `provisional` (k,) are new.

        Who stands in a list already is scored anew. The patch cuts what does not reach a list.
        """
        holders, candidates = self._candidates()
        ranked = self.chooser.scorer.rank(holders, candidates)
        enters = ranked.found & self._fitting(holders, ranked)
        enters &= ranked.scores >= self.chooser.placement.min_score
        codes = self.chooser.evidence(holders, ranked, self.scale)
        at = np.nonzero(enters)
        items = ranked.rows[at]
        new = np.zeros(len(self.lists.ids), dtype=bool)
        new[self.rows] = provisional
        names = self.lists.ids.ids
        entries = Entries(
            tuple(names[row] for row in holders[at[0]].tolist()),
            tuple(names[row] for row in items.tolist()),
            ranked.scores[at],
            codes[at],
        )
        nearness = self.vectors.inner(holders[at[0]], items[:, None])[:, 0]
        return Entrances(entries, new[items], new[items] & self._nearest(items, nearness))

    def _candidates(self) -> tuple[Rows, Neighbours]:
        """The lists (b,) that refreshed items may enter, and which of them (b, c), best first."""
        depth = self.chooser.placement.depth
        asking = registry.index_builder(Choice("exact")).build(self.vectors.queries)
        found = asking.search(
            self.vectors.targets[self.rows], HOLDERS_PER_DEPTH * depth + len(self.rows)
        )
        at = np.nonzero(found.found)
        holders, items = _holding(self.lists.lists, self.rows)
        pairs = np.unique(
            np.stack(
                [
                    np.concatenate([found.rows[at], holders]),
                    np.concatenate([self.rows[at[0]], items]),
                ],
                axis=1,
            ),
            axis=0,
        )
        pairs = pairs[~np.isin(pairs[:, 0], self.rows)]
        scores = self.vectors.inner(pairs[:, 0], pairs[:, 1:])[:, 0]
        return _by_holder(pairs, scores, depth)

    def _fitting(self, holders: Rows, ranked: Neighbours) -> NDArray[np.bool_]:
        """Whom (b, c) the placement's rules leave in behind what stands in each list already."""
        settled = _settled(self.lists.lists, holders, self.rows, self.chooser.placement.depth)
        joined = Neighbours(
            np.hstack([settled, ranked.rows]),
            np.hstack([np.ones(settled.shape, dtype=np.float32), ranked.scores]),
        ).keep_first(settled.shape[1] + ranked.rows.shape[1])
        kept = self.chooser.filtered(holders, joined)
        width = len(self.lists.ids)
        asking = np.arange(len(holders), dtype=np.int64)[:, None] * width
        return np.isin(asking + ranked.rows, (asking + kept.rows)[kept.found])

    def _nearest(self, items: Rows, nearness: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which entries (e,) lie in the lists of an item's `shown` nearest."""
        order = np.lexsort((-nearness, items))
        first = np.concatenate([[True], items[order][1:] != items[order][:-1]])[: len(items)]
        starts = np.flatnonzero(first)
        sizes = np.diff(np.append(starts, len(items)))
        place = np.empty(len(items), dtype=np.int64)
        place[order] = np.arange(len(items)) - np.repeat(starts, sizes)
        return np.asarray(place < self.chooser.placement.shown)


def _holding(lists: RelatedLists, rows: Rows) -> tuple[Rows, Rows]:
    """Who holds some items (e,), and which (e,)."""
    at = np.flatnonzero(np.isin(lists.rows, rows))
    holders = np.searchsorted(lists.offsets, at, side="right") - 1
    return holders.astype(np.int32), lists.rows[at]


def _by_holder(
    pairs: NDArray[np.int32], scores: NDArray[np.float32], depth: int
) -> tuple[Rows, Neighbours]:
    """Holders (b,) and their candidates (b, c), best first, at most `depth` of each."""
    order = np.lexsort((-scores, pairs[:, 0]))
    holders, starts, sizes = np.unique(pairs[order, 0], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, sizes)
    width = min(depth, int(sizes.max(initial=1)))
    kept = place < width
    owner = np.repeat(np.arange(len(holders)), sizes)[kept]
    rows = np.full((len(holders), width), NONE, dtype=np.int32)
    found = np.full((len(holders), width), -np.inf, dtype=np.float32)
    rows[owner, place[kept]] = pairs[order, 1][kept]
    found[owner, place[kept]] = scores[order][kept]
    return holders.astype(np.int32), Neighbours(rows, found)


def _settled(lists: RelatedLists, holders: Rows, leaving: Rows, depth: int) -> Rows:
    """What stands in the lists of holders (b, depth), those that are leaving left out."""
    sizes = lists.sizes[holders]
    rows = np.full((len(holders), max(depth, int(sizes.max(initial=0)))), NONE, dtype=np.int32)
    owner = np.repeat(np.arange(len(holders)), sizes)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    found = lists.rows[lists.places(holders)]
    rows[owner, place] = np.where(np.isin(found, leaving), np.int32(NONE), found)
    return rows
