"""Queries to a lookup. Arguments of a wrong type are refused, all others are answered."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from recommender.serving.codec import View
from recommender.serving.polled_state import BestSellers, LayeredList, PolledState

MAX_SHOWN = 1000
NO_ITEMS: frozenset[str] = frozenset()


class Query(NamedTuple):
    """At most `n` entries of a placement, without `excluded`, that score at least `lowest`.

    `key` decides between the live view and the canary.
    """

    placement: str
    n: int
    excluded: AbstractSet[str]
    lowest: float
    key: str


@dataclass(slots=True)
class ListRequest:
    """The lists that a query needs under one pointer, and those found so far.

    `view` is None where no pointer is confirmed; `wanted` are the items to read, each once.
    """

    query: Query
    state: PolledState
    view: View | None = None
    canary: bool = False
    found: dict[str, LayeredList] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)

    @property
    def best_sellers(self) -> BestSellers:
        """The best sellers by placement, of the last readable pointer where none is live."""
        return self.state.canary_best_sellers if self.canary else self.state.best_sellers


def checked_query(
    placement: str, n: int, exclude: Collection[str], *, min_score: float, key: str
) -> Query:
    """Check types and clamp n to 0..`MAX_SHOWN`. Raises: TypeError."""
    if not isinstance(placement, str):
        raise TypeError(f"placement: text, not {type(placement).__name__}")
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"n: a whole number, not {type(n).__name__}")
    if not isinstance(min_score, int | float) or isinstance(min_score, bool):
        raise TypeError(f"min_score: a number, not {type(min_score).__name__}")
    if not isinstance(key, str):
        raise TypeError(f"key: text, not {type(key).__name__}")
    if isinstance(exclude, str) or not isinstance(exclude, Collection):
        raise TypeError(f"exclude: a collection of item ids, not {type(exclude).__name__}")
    excluded = frozenset(exclude) if exclude else NO_ITEMS
    return Query(placement, min(max(n, 0), MAX_SHOWN), excluded, min_score, key)


def checked_item(item: str) -> str:
    """Raises: TypeError for an item id that is not text."""
    if not isinstance(item, str):
        raise TypeError(f"item_id: text, not {type(item).__name__}")
    return item


def checked_items(items: Collection[str]) -> list[str]:
    """Raises: TypeError for anything but a collection of texts."""
    if isinstance(items, str) or not isinstance(items, Collection):
        raise TypeError(f"item_ids: a collection of item ids, not {type(items).__name__}")
    return [checked_item(item) for item in items]
