"""Reverse-neighbour insertion: refreshed items enter the lists of items that they are near to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.core.arrays import Rows
from recommender.core.lists import Entries, NamedLists, RelatedLists, ranks_of
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice
from recommender.core.vectors import ItemVectors
from recommender.live.list_deltas import NamedEntries
from recommender.ranking.chooser import Chooser
from recommender.ranking.evidence import EvidenceScale

HOLDERS_PER_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Insertions:
    """Entries (e,) of refreshed items in lists of others, and those whose place is given.

    A place is given to an item without interactions in the lists of its nearest items.
    """

    entries: NamedEntries
    provisional: NDArray[np.bool_]
    given: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ReverseNeighbours:
    """What decides which lists of a placement refreshed items enter.

    `lists` are those of all items, as they were before; the refreshed `rows` (k,) do not enter
    each other's.
    """

    chooser: Chooser
    vectors: ItemVectors
    scale: EvidenceScale
    lists: NamedLists
    rows: Rows

    def insertions(self, provisional: NDArray[np.bool_]) -> Insertions:
        """Where the refreshed items may be, by rank and filters; `provisional` (k,) are new.

        Items that are in a list already are scored anew. The delta cuts entries that do not reach
        a list.
        """
        holders, candidates = self._candidates()
        ranked = self.chooser.scorer.rank(holders, candidates)
        enters = ranked.found & self._fitting(holders, ranked)
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
        """Which items (b, c) the placement's filters keep behind the entries of each list."""
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
        """Which entries (e,) are in the lists of an item's `shown` nearest."""
        order = np.lexsort((-nearness, items))
        place = np.empty(len(items), dtype=np.int64)
        place[order] = ranks_of(np.bincount(items))
        return np.asarray(place < self.chooser.placement.shown)


def _holding(lists: RelatedLists, rows: Rows) -> tuple[Rows, Rows]:
    """Whose lists hold some items (e,), and which of them (e,)."""
    at = np.flatnonzero(np.isin(lists.entries.rows, rows))
    holders = np.searchsorted(lists.offsets, at, side="right") - 1
    return holders.astype(np.int32), lists.entries.rows[at]


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
