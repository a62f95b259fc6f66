"""The protocols of users: what was taken before is asked with, and what came next should be found.

Next-item protocol: a query is one user with events in the test period. The history is everything
before the user's last moment, also after the cut; relevant are the items of that moment that are
new to the user. A moment is one event, or all lines of one basket. Where events come one by one
this is leave-last-out. Shops without users are evaluated on sessions. Related lists answer with the
sum of the lists of the user's last items, where each moment further back weighs `DECAY` times as
much. Items of the history are never shown.

Leave-one-out protocol: as the next-item protocol, but without a cut. A query is one user with at
least three events; relevant is the last event (in validation the last but one), the history is
everything before it, and the last two events of each user are not learned from.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import Rows, blocks
from recommender.core.interactions import Interactions
from recommender.core.lists import offsets_of
from recommender.core.neighbours import NONE, Neighbours
from recommender.errors import DataError
from recommender.evaluation.protocols import K, Queries, Window

DECAY, LAST_ITEMS = 0.8, 50
LEAST_EVENTS = 3
BLOCK = 1024


@dataclass(frozen=True, slots=True)
class UserEvents:
    """Events in order of time: user (m,), item (m,), and the moment of the user (m,)."""

    user: Rows
    item: Rows
    moment: NDArray[np.int64]

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "UserEvents":
        """The events where `chosen` (m,) holds, or at these places."""
        return UserEvents(self.user[chosen], self.item[chosen], self.moment[chosen])

    def pairs(self, n_items: int) -> NDArray[np.int64]:
        """One number for each pair of user and item (m,)."""
        return self.user.astype(np.int64) * n_items + self.item

    def numbered(self, users: Rows) -> "UserEvents":
        """The events of some users (q,), numbered by their places."""
        kept = self.select(np.isin(self.user, users))
        number = np.searchsorted(users, kept.user).astype(np.int32)
        return UserEvents(number, kept.item, kept.moment)


@dataclass(frozen=True, slots=True)
class NextItemTask:
    """Histories of q users, and the items that they took next.

    The rows of `queries` and the users of `history` are numbers of users, 0 to q - 1. `last` (q, n)
    holds the weights of their last items, `seen` (q, n) ones where an item is in the history.
    `left_out` counts users of the test period without a history, or without a new item.
    """

    queries: Queries
    history: UserEvents
    last: sp.csr_array
    seen: sp.csr_array
    left_out: int

    def shown(self, lists: Neighbours) -> Rows:
        """The items that the lists (n, depth) of all items show each user (q, 10)."""
        n_items = len(lists.rows)
        owner = np.repeat(np.arange(n_items), lists.found.sum(axis=1))
        values = (lists.scores[lists.found], (owner, lists.rows[lists.found]))
        related = sp.csr_array(values, shape=(n_items, n_items))
        parts = []
        for block in blocks(len(self.queries), BLOCK):
            scores = self.last[block] @ related
            new = sp.csr_array(scores - scores.multiply(self.seen[block]))
            parts.append(Neighbours.of_sparse(new, K, block.start))
        return Neighbours.joined(parts).rows

    def shown_to_everyone(self, best: Rows) -> Rows:
        """The first ten items of one order (n,) that each user has not seen (q, 10)."""
        top = np.full((len(self.queries), K), NONE, dtype=np.int32)
        place = np.full(self.seen.shape[1], len(best), dtype=np.int64)
        place[best] = np.arange(len(best))
        for user in range(len(top)):
            seen = self.seen.indices[self.seen.indptr[user] : self.seen.indptr[user + 1]]
            head = best[: K + len(seen)]
            unseen = np.delete(head, place[seen][place[seen] < len(head)])[:K]
            top[user, : len(unseen)] = unseen
        return top


def next_item_task(window: Window) -> NextItemTask:
    """The next-item task of a window.

    Raises: DataError where no user has a history and a new item.
    """
    events, inside = _user_events(window)
    last_of_all = _last_moments(events, inside)
    history = events.select(events.moment < last_of_all[events.user])
    answer = events.select(inside & (events.moment == last_of_all[events.user]))
    asked = int((last_of_all >= 0).sum())
    return _task(history, answer, window.train.n_items, asked)


def leave_one_out(interactions: Interactions, *, test: bool) -> tuple[Window, NextItemTask]:
    """Ask each user for the last event, or for the last but one where it is no `test`.

    Events are in order of time, equal times in order of the input. Users with fewer than three
    events are learned from and not asked.

    Raises: DataError where no user has three events, or none a new last item.
    """
    user, item, moment, place = _with_moments(interactions)
    order = np.lexsort((moment, user))
    user, item, place = user[order], item[order], place[order]
    sizes = np.bincount(user)[user] if len(user) else user
    back = np.searchsorted(user, user, side="right") - 1 - np.arange(len(user))
    events = UserEvents(user, item, np.arange(len(user)))
    asked = sizes >= LEAST_EVENTS
    held = np.zeros(len(interactions), dtype=bool)
    held[place[asked & (back < LEAST_EVENTS - 1)]] = True
    at = 0 if test else 1
    answer, history = events.select(asked & (back == at)), events.select(asked & (back > at))
    task = _task(history, answer, interactions.n_items, len(np.unique(user[asked])))
    train, later = interactions.select(~held), interactions.select(held)
    return Window(train, later, (), 0, 0, interactions.newest + 1), task


def _task(history: UserEvents, answer: UserEvents, n_items: int, asked: int) -> NextItemTask:
    """The task of answers that are new to their users, of whom `asked` might have had one."""
    answer = answer.select(~np.isin(answer.pairs(n_items), history.pairs(n_items)))
    users = np.intersect1d(history.user, answer.user)
    if not len(users):
        raise DataError(
            f"next item: of {asked:,} users that could be asked none has both a history and a new "
            "item; users or sessions with times are needed, or the basket protocol"
        )
    history, answer = history.numbered(users), answer.numbered(users)
    user, item = np.divmod(np.unique(answer.pairs(n_items)), n_items)
    numbers = np.arange(len(users), dtype=np.int32)
    offsets = offsets_of(np.bincount(user, minlength=len(users)))
    ones = np.ones(len(history.item), dtype=np.float32)
    seen = sp.csr_array((ones, (history.user, history.item)), shape=(len(users), n_items))
    seen.data[:] = 1
    return NextItemTask(
        queries=Queries(numbers, numbers, offsets, item.astype(np.int32)),
        history=history,
        last=_last_items(history, (len(users), n_items)),
        seen=seen,
        left_out=asked - len(users),
    )


def _user_events(window: Window) -> tuple[UserEvents, NDArray[np.bool_]]:
    """All events up to the window's end in order of time, and which are in the test period (m,)."""
    parts = [_with_moments(window.train)[:3], _with_moments(window.later)[:3]]
    user, item, moment = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    inside = np.arange(len(user)) >= len(parts[0][0])
    order = np.argsort(moment, kind="stable")
    return UserEvents(user, item, moment).select(order), inside[order]


def _with_moments(
    events: Interactions,
) -> tuple[Rows, Rows, NDArray[np.int64], NDArray[np.intp]]:
    """User or session, item, moment and place of the events that count.

    All events of a basket have its first time as their moment.
    """
    user = events.user if (events.user >= 0).any() else events.session
    in_basket = events.basket >= 0
    starts = np.full(int(events.basket.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(starts, events.basket[in_basket], events.time[in_basket])
    moment = np.where(in_basket, starts[events.basket], events.time)
    kept = (user >= 0) & (np.asarray(events.weights)[events.kind] > 0)
    return user[kept], events.item[kept], moment[kept], np.flatnonzero(kept)


def _last_moments(events: UserEvents, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each user's last moment in the test period, -1 without one."""
    last = np.full(int(events.user.max(initial=0)) + 1, -1, dtype=np.int64)
    np.maximum.at(last, events.user[inside], events.moment[inside])
    return last


def _last_items(history: UserEvents, shape: tuple[int, int]) -> sp.csr_array:
    """Users by items (q, n): the decayed weight of the last items, each at its latest moment."""
    pairs = history.pairs(shape[1])
    _, latest = np.unique(pairs[::-1], return_index=True)
    chosen = len(pairs) - 1 - latest
    ordered = history.select(chosen[np.lexsort((-chosen, history.user[chosen]))])
    user, moment = ordered.user, ordered.moment
    start = np.searchsorted(user, user)
    place = np.arange(len(user)) - start
    earlier = np.concatenate([[False], moment[1:] != moment[:-1]]) & (place > 0)
    back = np.cumsum(earlier)
    back = back - back[start]
    kept = place < LAST_ITEMS
    weights = np.power(DECAY, back[kept]).astype(np.float32)
    return sp.csr_array((weights, (user[kept], ordered.item[kept])), shape=shape)
