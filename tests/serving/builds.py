"""Small builds to publish; each list shows which build it comes from."""

from collections.abc import Mapping, Sequence

import numpy as np

from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, RelatedLists
from recommender.core.related import EVIDENCE, RelatedItem
from recommender.core.telemetry import Progress, silent
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import SomeLists
from recommender.serving import codec
from recommender.serving.codec import Pointer
from recommender.serving.connection import open_store
from recommender.serving.keys import Keys

N = 40
"""How many items a build has where nothing else is said."""


def item_ids(count: int) -> ItemIds:
    return ItemIds(tuple(f"item-{row}" for row in range(count)))


def related_lists(count: int, *, placement: str = "related", build: int = 1) -> RelatedLists:
    """Each item is related to the next three; every score of a build is the same, 1 / build.

    The first items are the best sellers, as many as the number of the build.
    """
    depth = min(3, count - 1)
    rows = (np.arange(count)[:, None] + np.arange(1, depth + 1)) % count
    return RelatedLists(
        placement,
        np.arange(count + 1, dtype=np.int64) * depth,
        Entries(
            rows.ravel().astype(np.int32),
            np.full(count * depth, 1 / build, dtype=np.float32),
            np.full(count * depth, build % len(EVIDENCE), dtype=np.uint8),
        ),
        np.arange(min(build, count), dtype=np.int32),
    )


def some_lists(lists: Mapping[str, Sequence[RelatedItem]], placement: str = "related") -> SomeLists:
    """Lists by id, to be laid over a build."""
    listed = [entry for entries in lists.values() for entry in entries]
    ids = ItemIds(tuple(dict.fromkeys([*lists, *(entry.id for entry in listed)])))
    entries = Entries(
        ids.rows(entry.id for entry in listed),
        np.array([entry.score for entry in listed], dtype=np.float32),
        np.array([EVIDENCE.index(entry.evidence) for entry in listed], dtype=np.uint8),
    )
    sizes = [len(entries) for entries in lists.values()] + [0] * (len(ids) - len(lists))
    made = RelatedLists(placement, np.cumsum([0, *sizes], dtype=np.int64), entries)
    return SomeLists(ids, made, np.arange(len(lists), dtype=np.int32))


def overlay(
    publisher: Publisher, lists: Mapping[str, Sequence[RelatedItem]], lists_key: str = ""
) -> Generation:
    """Lay lists of one placement over what is live."""
    seen, _ = publisher.layers()
    return publisher.lay_over([some_lists(lists)], seen=seen, lists_key=lists_key)


def publish(
    publisher: Publisher,
    build: int,
    *,
    count: int = N,
    fence_floor: int = 0,
    canary_share: float = 0.0,
    progress: Progress = silent,
) -> Generation:
    """Publish a build of one placement."""
    return publisher.publish(
        item_ids(count),
        [related_lists(count, build=build)],
        lists_key=f"lists-{build}",
        recipe_digest="digest",
        fence_floor=fence_floor,
        canary_share=canary_share,
        progress=progress,
    )


def expected(item: int, count: int, *, build: int = 1) -> tuple[RelatedItem, ...]:
    """What a lookup of one item of `related_lists` answers."""
    score = round(codec.LEVELS / build) / codec.LEVELS
    return tuple(
        RelatedItem(f"item-{(item + step) % count}", score, EVIDENCE[build % len(EVIDENCE)])
        for step in range(1, min(3, count - 1) + 1)
    )


def best_sellers(count: int, *, build: int = 1) -> tuple[str, ...]:
    """The ids of the best sellers of `related_lists`."""
    return tuple(f"item-{row}" for row in range(min(build, count)))


def live_pointer(url: str, shop: str) -> Pointer:
    """What readers of the shop read."""
    with open_store(url) as store:
        return codec.decode_pointer(store.get(Keys(shop).live))


def live_list(
    url: str, shop: str, item: str, layers: tuple[int, ...] = ()
) -> tuple[RelatedItem, ...] | None:
    """What the contract has a reader find for one item in the live layers, or in others."""
    layers = layers or live_pointer(url, shop).live.layers
    with open_store(url) as store:
        for raw in store.mget([Keys(shop).related_list(g, "related", item) for g in layers]):
            if raw is not None:
                return codec.decode_list(raw, item).items()
    return None


def assert_live(url: str, shop: str, count: int, *, generation: int, build: int) -> None:
    """A reader gets every list whole, from `generation`, as `related_lists` made it."""
    pointer = live_pointer(url, shop)
    assert pointer.generation == generation
    with open_store(url) as store:
        names = [*item_ids(count), codec.BEST_SELLERS]
        keys = [Keys(shop).related_list(generation, "related", item) for item in names]
        found = [
            codec.decode_list(raw, item).items()
            for item, raw in zip(names, store.mget(keys), strict=True)
        ]
    for row in range(count):
        assert tuple(found[row]) == expected(row, count, build=build)
    assert tuple(entry.id for entry in found[count]) == best_sellers(count, build=build)
