"""The basket protocol: what is learned from, what is asked, and what should be found.

The interactions are cut at a time: everything before it is learned from, the test period after it
is asked about.

A query is one item of a test basket; the other items of the basket are relevant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.interactions import DAY_S, Interactions
from recommender.core.lists import offsets_of
from recommender.core.neighbours import Neighbours
from recommender.errors import DataError

LARGEST_BASKET = 100
QUERIES_PER_BASKET = 5
WARM, EVERY = 20, 10
K = 10
"""How many entries of a list are shown and count in the metrics."""


@dataclass(frozen=True, slots=True)
class Window:
    """Interactions to learn from, and the baskets of the period after them.

    A basket belongs to the time of its earliest event. `baskets` holds the distinct rows of each
    test basket in the order of their lines; `left_out` counts test baskets of more than 100 items.
    The test period is from `start` to before `until` (epoch seconds); `later` holds its events.
    """

    train: Interactions
    later: Interactions
    baskets: tuple[Rows, ...]
    left_out: int
    start: int
    until: int


@dataclass(frozen=True, slots=True)
class Queries:
    """What is asked, and what should be found.

    `row` (q,) is the item or user of each query, and `basket` (q,) numbers the basket it comes
    from. The relevant rows of query i are `relevant[offsets[i]:offsets[i + 1]]`.
    """

    row: Rows
    basket: Rows
    offsets: NDArray[np.int64]
    relevant: Rows

    @classmethod
    def of(cls, row: Rows, basket: Rows, relevant: Sequence[Rows]) -> "Queries":
        """Queries whose relevant rows are given one by one."""
        sizes = np.array([len(part) for part in relevant], dtype=np.int64)
        return cls(
            row, basket, offsets_of(sizes), np.concatenate([np.zeros(0, np.int32), *relevant])
        )

    def __len__(self) -> int:
        return len(self.row)

    @property
    def n_relevant(self) -> NDArray[np.int64]:
        """How many items are relevant for each query (q,)."""
        return np.diff(self.offsets)

    def select(self, chosen: NDArray[np.bool_]) -> "Queries":
        """The queries where `chosen` (q,) holds."""
        sizes = self.n_relevant
        relevant = self.relevant[np.repeat(chosen, sizes)]
        return Queries(self.row[chosen], self.basket[chosen], offsets_of(sizes[chosen]), relevant)


class EvaluationTask(Protocol):
    """The queries of a protocol, and how lists answer them."""

    @property
    def queries(self) -> Queries:
        """What is asked, and what should be found."""

    def shown(self, lists: Neighbours) -> Rows:
        """What the lists (n, depth) of all items show each item or user that may ask (n, 10)."""


@dataclass(frozen=True, slots=True)
class BasketTask:
    """The basket protocol: items ask, and are shown their own lists."""

    queries: Queries

    def shown(self, lists: Neighbours) -> Rows:
        """The first ten entries of each list (n, 10)."""
        return lists.keep_first(K).rows


def window(interactions: Interactions, *, until: int, days: int) -> Window:
    """Test on the `days` before `until` (epoch seconds), learn from everything earlier.

    Shops without baskets are evaluated on sessions. Events without weight are in no test basket.

    Raises: DataError where one of the two periods holds nothing that could be learned from or
    asked.
    """
    units = interactions.basket if (interactions.basket >= 0).any() else interactions.session
    times = interactions.began()
    start = until - days * DAY_S
    counts = np.asarray(interactions.weights)[interactions.kind] > 0
    inside = (times >= start) & (times < until)
    _require_events(interactions, counts, times < start, inside, (start, until))
    bought = inside & (units >= 0) & counts
    distinct = _baskets(units[bought], interactions.item[bought], interactions.n_items)
    kept = tuple(part for part in distinct if len(part) <= LARGEST_BASKET)
    train, later = interactions.select(times < start), interactions.select(inside)
    return Window(train, later, kept, len(distinct) - len(kept), start, until)


def basket_task(chosen: Window, seed: int) -> BasketTask:
    """The basket task of a window.

    Raises: DataError where no basket of the test period holds two items.
    """
    if not any(len(basket) > 1 for basket in chosen.baskets):
        of_users = bool((chosen.train.user >= 0).any())
        instead = (
            "--protocol next-item or leave-one-out asks users instead"
            if of_users
            else ("give orders or sessions a column: interactions.columns.basket or .session")
        )
        raise DataError(
            "evaluation: no basket or session of the test period holds two items, which the basket "
            f"protocol needs; {instead}"
        )
    return BasketTask(draw_queries(chosen.baskets, seed))


def _require_events(
    interactions: Interactions,
    counts: NDArray[np.bool_],
    before: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    period: tuple[int, int],
) -> None:
    """Raises: DataError where nothing counts, is before the test period, or is inside of it."""
    if not counts.any():
        raise DataError(
            f"evaluation: no event counts, for the kinds {', '.join(interactions.kinds)} have no "
            "weight above 0; set interactions.weights"
        )
    known = interactions.time[interactions.time > 0]
    if not len(known):
        raise DataError(
            "evaluation: no event has a time, so nothing is later; set interactions.columns.time"
        )
    for empty, what in ((not before.any(), "before"), (not (inside & counts).any(), "in")):
        if empty:
            start, until, oldest, newest = (
                datetime.fromtimestamp(at, UTC).date()
                for at in (*period, int(known.min()), int(known.max()))
            )
            raise DataError(
                f"evaluation: no events {what} the test period, {start} to {until}; the shop's "
                f"events are from {oldest} to {newest}: set evaluation.days or evaluation.test_from"
            )


def cold_folds(support: NDArray[np.float32], folds: int, seed: int = 0) -> list[Rows]:
    """The items to make cold, by fold: every tenth of those in at least 20 units, shuffled."""
    warm = np.flatnonzero(support >= WARM).astype(np.int32)
    order = np.random.default_rng(seed).permutation(warm)
    return [order[fold::EVERY] for fold in range(folds)]


def draw_queries(baskets: tuple[Rows, ...], seed: int = 0) -> Queries:
    """Up to five items of every basket of at least two, without replacement."""
    rng = np.random.default_rng(seed)
    rows, numbers, relevant = [], [], []
    for number, basket in enumerate(baskets):
        if len(basket) < 2:
            continue
        size = min(QUERIES_PER_BASKET, len(basket))
        for row in rng.choice(basket, size, replace=False).tolist():
            rows.append(row)
            numbers.append(number)
            relevant.append(basket[basket != row])
    return Queries.of(np.array(rows, np.int32), np.array(numbers, np.int32), relevant)


def _baskets(units: Rows, items: Rows, n_items: int) -> list[Rows]:
    """The distinct items of each unit in the order of their lines; units by their number."""
    pairs = units.astype(np.int64) * n_items + items
    _, first = np.unique(pairs, return_index=True)
    first.sort()
    order = first[np.argsort(units[first], kind="stable")]
    bounds = np.flatnonzero(np.diff(units[order])) + 1
    return [part for part in np.split(items[order], bounds) if len(part)]
