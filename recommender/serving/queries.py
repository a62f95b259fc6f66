"""What callers ask of a lookup, checked."""

from collections.abc import Collection

from recommender.serving.bundles import FEWEST, MOST
from recommender.serving.fields_query import FieldsOptions, checked_fields
from recommender.serving.state import MAX_SHOWN, NO_ITEMS, Query

MAX_PLACEMENTS = 20


def checked_query(
    placement: str,
    n: int,
    exclude: Collection[str],
    options: FieldsOptions | None = None,
    *,
    min_score: float,
    key: str,
) -> Query:
    """Check types and clamp n to 0..`MAX_SHOWN`. Raises: TypeError; ExpressionError."""
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
    n = min(max(n, 0), MAX_SHOWN)
    fields = checked_fields(n, options) if options else None
    if fields is not None and fields.whole_lists:
        n = MAX_SHOWN
    language = options.get("language", "") if options else ""
    return Query(placement, n, excluded, min_score, key, fields, language)


def checked_companions(n: int) -> int:
    """Clamp the companions of a bundle to two or three. Raises: TypeError."""
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"n: a whole number, not {type(n).__name__}")
    return min(max(n, FEWEST), MOST)


def checked_bundle_query(
    placement: str, exclude: Collection[str], key: str, store: str, language: str
) -> Query:
    """The query for all companions of a bundle, with their records. Raises: TypeError."""
    options: FieldsOptions = {"records": True, "store": store, "language": language}
    return checked_query(placement, MAX_SHOWN, exclude, options, min_score=0.0, key=key)


def checked_decay(decay: float | None) -> float | None:
    """Raises: TypeError for what is no number, ValueError for one that is not in (0, 1]."""
    if decay is None:
        return None
    if not isinstance(decay, int | float) or isinstance(decay, bool):
        raise TypeError(f"decay: a number, not {type(decay).__name__}")
    if not 0 < decay <= 1:
        raise ValueError(f"decay: {decay} is not above 0 and at most 1")
    return decay


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


def checked_placements(placements: Collection[str]) -> list[str]:
    """At most `MAX_PLACEMENTS`, each once. Raises: TypeError for anything but texts."""
    if isinstance(placements, str) or not isinstance(placements, Collection):
        raise TypeError(f"placements: a collection of names, not {type(placements).__name__}")
    return list(dict.fromkeys(placements))[:MAX_PLACEMENTS]
