"""What a caller may ask of a lookup: wrong types are refused, everything else is answered."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import NamedTuple

MAX_SHOWN = 1000
NOBODY: frozenset[str] = frozenset()


class Wish(NamedTuple):
    """At most `n` entries of a placement, none of `excluded`, none that scores below `lowest`.

    `key` decides between the live view and the canary.
    """

    placement: str
    n: int
    excluded: AbstractSet[str]
    lowest: float
    key: str


def checked_wish(
    placement: str, n: int, exclude: Collection[str], *, min_score: float, key: str
) -> Wish:
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
    excluded = frozenset(exclude) if exclude else NOBODY
    return Wish(placement, min(max(n, 0), MAX_SHOWN), excluded, min_score, key)


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
