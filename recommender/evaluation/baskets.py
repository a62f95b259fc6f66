"""The basket protocol: from one item of a later basket, find the others.

Baskets are split by time; a query is one item of a test basket, relevant are the basket's other
items. Interactions before the cut are all that a recipe may learn from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.interactions import DAY_S, Interactions
from recommender.errors import DataError

LARGEST_BASKET = 100
QUERIES_PER_BASKET = 5
WARM, EVERY = 20, 10


@dataclass(frozen=True, slots=True)
class Window:
    """Interactions to learn from, and the baskets of the time after them.

    A basket belongs to the time of its earliest event. `baskets` holds the distinct rows of each
    test basket in the order of their lines; `left_out` counts test baskets of more than 100 items.
    The test period goes from `start` to before `until` (epoch seconds); `later` holds its events.
    """

    train: Interactions
    later: Interactions
    baskets: tuple[Rows, ...]
    left_out: int
    start: int
    until: int


@dataclass(frozen=True, slots=True)
class Queries:
    """Items that are asked, and what should be found.

    `row` (q,) asks; `basket` (q,) numbers the basket it comes from; the relevant rows of query i
    are `relevant[offsets[i]:offsets[i + 1]]`.
    """

    row: Rows
    basket: Rows
    offsets: NDArray[np.int64]
    relevant: Rows

    def __len__(self) -> int:
        return len(self.row)

    @property
    def n_relevant(self) -> NDArray[np.int64]:
        """How many items are relevant for each query (q,)."""
        return np.diff(self.offsets)

    def select(self, chosen: NDArray[np.bool_]) -> "Queries":
        """The queries where `chosen` (q,) holds."""
        sizes = self.n_relevant
        kept = np.repeat(chosen, sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes[chosen])])
        return Queries(
            self.row[chosen], self.basket[chosen], offsets.astype(np.int64), self.relevant[kept]
        )


def window(interactions: Interactions, *, until: int, days: int) -> Window:
    """Test on the `days` before `until` (epoch seconds), learn from everything earlier.

    Shops that give no baskets are judged on sessions. Events without weight are no part of a
    test basket.

    Raises: DataError where there are no baskets with times on both sides.
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


def _baskets(units: Rows, items: Rows, n_items: int) -> list[Rows]:
    """The distinct items of each unit in the order of their lines; units by their number."""
    pairs = units.astype(np.int64) * n_items + items
    _, first = np.unique(pairs, return_index=True)
    first.sort()
    order = first[np.argsort(units[first], kind="stable")]
    bounds = np.flatnonzero(np.diff(units[order])) + 1
    return [part for part in np.split(items[order], bounds) if len(part)]


def cold_folds(support: NDArray[np.float32], folds: int, seed: int = 0) -> list[Rows]:
    """Items to make cold, by fold: every tenth of those in at least 20 units, in a seeded order."""
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
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in relevant])])
    return Queries(
        np.array(rows, dtype=np.int32),
        np.array(numbers, dtype=np.int32),
        offsets.astype(np.int64),
        np.concatenate([*relevant, np.zeros(0, np.int32)]).astype(np.int32),
    )
