"""The basket protocol: what is learned from, what is asked, and what should be found.

The interactions are cut at a time: everything before it is learned from, the test period after it
is asked about.

A query is one item of a test basket; the other items of the basket are relevant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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


def window(interactions: Interactions, *, until: int, days: int) -> Window:
    """Test on the `days` before `until` (epoch seconds), learn from everything earlier.

    Shops without baskets are evaluated on sessions. Events without weight are in no test basket.

    Raises: DataError where there are no baskets with times on both sides of the cut.
    """
    units = interactions.basket if (interactions.basket >= 0).any() else interactions.session
    times = interactions.began()
    start = until - days * DAY_S
    train = interactions.select(times < start)
    inside = (times >= start) & (times < until)
    weights = np.asarray(interactions.weights)[interactions.kind]
    bought = inside & (units >= 0) & (weights > 0)
    distinct = _baskets(units[bought], interactions.item[bought], interactions.n_items)
    kept = tuple(part for part in distinct if len(part) <= LARGEST_BASKET)
    if not len(train) or not kept:
        raise DataError(
            f"evaluation: {len(train):,} events before and {len(distinct):,} baskets after the "
            "cut; baskets with times on both sides of it are needed"
        )
    later = interactions.select(inside)
    return Window(train, later, kept, len(distinct) - len(kept), start, until)


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
