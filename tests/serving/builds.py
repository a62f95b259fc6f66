"""Small builds to publish, whose lists tell which build they are from."""

import numpy as np

from recommender.ids import ItemIds
from recommender.neighbours import RelatedLists
from recommender.related import EVIDENCE, RelatedItem
from recommender.serving.lookup import RelatedItems


def item_ids(count: int) -> ItemIds:
    return ItemIds(tuple(f"item-{row}" for row in range(count)))


def related_lists(count: int, *, placement: str = "related", build: int = 1) -> RelatedLists:
    """Each item is related to the next three; every score of a build is the same, 1 / build."""
    depth = min(3, count - 1)
    rows = (np.arange(count)[:, None] + np.arange(1, depth + 1)) % count
    return RelatedLists(
        placement,
        np.arange(count + 1, dtype=np.int64) * depth,
        rows.ravel().astype(np.int32),
        np.full(count * depth, 1 / build, dtype=np.float32),
        np.full(count * depth, build % len(EVIDENCE), dtype=np.uint8),
    )


def expected(item: int, count: int, *, build: int = 1) -> tuple[RelatedItem, ...]:
    """What a lookup of one item of `related_lists` answers."""
    score = float(f"{1 / build:.4g}")
    return tuple(
        RelatedItem(f"item-{(item + step) % count}", score, EVIDENCE[build % len(EVIDENCE)])
        for step in range(1, min(3, count - 1) + 1)
    )


def assert_live(url: str, shop: str, count: int, *, generation: int, build: int) -> None:
    """A new reader gets every list whole, from `generation`, as `related_lists` made it."""
    lookup = RelatedItems(url, shop, deadline_s=5.0)
    for row in range(count):
        answer = lookup.get(f"item-{row}")
        assert (answer.status, answer.generation) == ("ok", generation)
        assert answer.items == expected(row, count, build=build)
    lookup.close()
