"""The next-item protocol: from what a user took so far, find what comes next.

One question per user who took something in the test period: the history is everything before the
user's last moment in it, whether before or after the cut; relevant are the items of that moment
which are new to the user. A moment is an event, or the lines of one basket, which share it; where
events come one by one this is leave-last-out. Where a shop knows no users, sessions take their
place. Nothing that was learned has seen an event after the cut.

A system that makes related lists answers by summing the lists of the user's last items; each
moment further back counts `DECAY` times as much. Items of the history are never shown.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import Rows, blocks
from recommender.core.interactions import Interactions
from recommender.core.neighbours import NONE, Neighbours
from recommender.errors import DataError
from recommender.evaluation.baskets import Queries, Window
from recommender.evaluation.best import best_of_each, joined
from recommender.evaluation.metrics import K
from recommender.evaluation.slices import ALL

DECAY = 0.8
LAST_ITEMS = 50
BLOCK = 1024
SHORT, LONG = 5, 50


@dataclass(frozen=True, slots=True)
class Steps:
    """Events in order of time: who (m,), which item (m,), and in which moment of theirs (m,)."""

    holder: Rows
    item: Rows
    moment: NDArray[np.int64]

    def select(self, chosen: NDArray[np.bool_]) -> "Steps":
        """The steps where `chosen` (m,) holds."""
        return Steps(self.holder[chosen], self.item[chosen], self.moment[chosen])


@dataclass(frozen=True, slots=True)
class Histories:
    """What q users took, and what they took next.

    `queries` asks with the number of a user, 0 to q - 1; `last` (q, n) weighs their last items,
    `seen` (q, n) is above 0 where an item stands in the history. `steps` holds the whole
    histories, whose holders are those numbers. `left_out` counts users of the test period without
    a history, or without anything new.
    """

    queries: Queries
    steps: Steps
    last: sp.csr_array
    seen: sp.csr_array
    left_out: int

    def slices(self) -> dict[str, NDArray[np.bool_]]:
        """Which users (q,) belong to each slice, by the distinct items of their history."""
        items = np.diff(self.seen.indptr)
        return {
            ALL: np.ones(len(items), dtype=bool),
            f"history under {SHORT}": items < SHORT,
            f"history {SHORT} to {LONG - 1}": (items >= SHORT) & (items < LONG),
            f"history from {LONG}": items >= LONG,
        }

    def shown(self, lists: Neighbours) -> Rows:
        """What the lists (n, depth) of all items show these users: (q, 10)."""
        n_items = len(lists.rows)
        owner = np.repeat(np.arange(n_items), lists.found.sum(axis=1))
        values = (lists.scores[lists.found], (owner, lists.rows[lists.found]))
        related = sp.csr_array(values, shape=(n_items, n_items))
        return joined(
            best_of_each(self._unseen((self.last[block] @ related).tocsr(), block), K, block.start)
            for block in blocks(len(self.queries), BLOCK)
        ).rows

    def _unseen(self, scores: sp.csr_array, block: slice) -> sp.csr_array:
        return sp.csr_array(scores - scores.multiply(self.seen[block]))

    def shown_to_everyone(self, best: Rows) -> Rows:
        """The first ten items of one order (n,) that each user has not seen: (q, 10)."""
        top = np.full((len(self.queries), K), NONE, dtype=np.int32)
        place = np.full(self.seen.shape[1], len(best), dtype=np.int64)
        place[best] = np.arange(len(best))
        for user in range(len(top)):
            seen = self.seen.indices[self.seen.indptr[user] : self.seen.indptr[user + 1]]
            head = best[: K + len(seen)]
            unseen = np.delete(head, place[seen][place[seen] < len(head)])[:K]
            top[user, : len(unseen)] = unseen
        return top


def histories(window: Window) -> Histories:
    """The questions of a window. Raises: DataError where no user has a history and a next item."""
    steps, inside = _steps(window)
    last_of_all = _last_moments(steps, inside)
    before = steps.moment < last_of_all[steps.holder]
    history = steps.select(before)
    answer = steps.select(inside & (steps.moment == last_of_all[steps.holder]))
    n_items = window.train.n_items
    answer = answer.select(~np.isin(_pairs(answer, n_items), _pairs(history, n_items)))
    holders = np.intersect1d(history.holder, answer.holder)
    asked = int((last_of_all >= 0).sum())
    if not len(holders):
        raise DataError(
            f"next item: of {asked:,} users in the test period none has both a history and a new "
            "item; users or sessions with times are needed"
        )
    history = _renumbered(history, holders)
    return Histories(
        queries=_queries(_renumbered(answer, holders), len(holders), n_items),
        steps=history,
        last=_weighed(history, len(holders), n_items),
        seen=_matrix(history, np.ones(len(history.item)), (len(holders), n_items)),
        left_out=asked - len(holders),
    )


def _steps(window: Window) -> tuple[Steps, NDArray[np.bool_]]:
    """All steps up to the window's end in order of time, and which lie in the test period (m,)."""
    parts = [_of(window.train), _of(window.later)]
    holder, item, time = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    inside = np.arange(len(holder)) >= len(parts[0][0])
    order = np.argsort(time, kind="stable")
    return Steps(holder[order], item[order], time[order]), inside[order]


def _of(events: Interactions) -> tuple[Rows, Rows, NDArray[np.int64]]:
    holder = events.user if (events.user >= 0).any() else events.session
    known = (holder >= 0) & (np.asarray(events.weights)[events.kind] > 0)
    return holder[known], events.item[known], _moments(events)[known]


def _moments(events: Interactions) -> NDArray[np.int64]:
    """When each event happened (m,); the lines of a basket share its first."""
    known = events.basket >= 0
    starts = np.full(int(events.basket.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(starts, events.basket[known], events.time[known])
    return np.where(known, starts[events.basket], events.time)


def _last_moments(steps: Steps, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each holder's last moment in the test period, -1 without one."""
    last = np.full(int(steps.holder.max(initial=0)) + 1, -1, dtype=np.int64)
    np.maximum.at(last, steps.holder[inside], steps.moment[inside])
    return last


def _pairs(steps: Steps, n_items: int) -> NDArray[np.int64]:
    return steps.holder.astype(np.int64) * n_items + steps.item


def _renumbered(steps: Steps, holders: Rows) -> Steps:
    kept = steps.select(np.isin(steps.holder, holders))
    number = np.searchsorted(holders, kept.holder).astype(np.int32)
    return Steps(number, kept.item, kept.moment)


def _queries(answer: Steps, n_holders: int, n_items: int) -> Queries:
    pairs = np.unique(_pairs(answer, n_items))
    holder, item = np.divmod(pairs, n_items)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(holder, minlength=n_holders))])
    rows = np.arange(n_holders, dtype=np.int32)
    return Queries(rows, rows, offsets.astype(np.int64), item.astype(np.int32))


def _weighed(history: Steps, n_holders: int, n_items: int) -> sp.csr_array:
    """Users by items (q, n): the decayed weight of the last items, each at its latest moment."""
    pairs = _pairs(history, n_items)
    _, latest = np.unique(pairs[::-1], return_index=True)
    chosen = len(pairs) - 1 - latest
    order = chosen[np.lexsort((-chosen, history.holder[chosen]))]
    holder, moment = history.holder[order], history.moment[order]
    place = np.arange(len(order)) - np.searchsorted(holder, holder)
    first = place == 0
    later = np.concatenate([[False], moment[1:] != moment[:-1]]) & ~first
    back = np.cumsum(later)
    back = back - back[np.searchsorted(holder, holder)]
    kept = place < LAST_ITEMS
    weights = DECAY ** back[kept].astype(np.float64)
    steps = Steps(holder[kept], history.item[order][kept], moment[kept])
    return _matrix(steps, weights, (n_holders, n_items))


def _matrix(steps: Steps, values: NDArray[np.float64], shape: tuple[int, int]) -> sp.csr_array:
    """Users by items (q, n): the mean value of each pair."""
    ones = np.ones(len(values), dtype=np.float32)
    places = (steps.holder, steps.item)
    summed = sp.csr_array((values.astype(np.float32), places), shape=shape)
    summed.data /= sp.csr_array((ones, places), shape=shape).data
    return summed
