"""Lists of a few items over a full generation."""

import threading
from collections.abc import Mapping

import numpy as np
import pytest
from redis import Redis

from recommender.core import failpoints
from recommender.core.related import RelatedItem
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.publishing.generations import Generations
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import SomeLists
from recommender.serving import codec
from recommender.serving.codec import View
from recommender.serving.connection import open_store
from recommender.serving.keys import Keys
from tests.serving import builds, servers
from tests.serving.builds import N, overlay, publish


@pytest.fixture
def publisher(store: Redis, shop: str) -> Publisher:
    return Publisher(store, shop, batch=10, grace_s=0.0)


def some(*ids: str) -> dict[str, list[RelatedItem]]:
    """The lists of some items: item-39 alone, as text."""
    return {item: [RelatedItem("item-39", 1.0, "text")] for item in ids}


GONE: dict[str, list[RelatedItem]] = {"item-0": []}
LAST = (RelatedItem("item-39", 1.0, "text"),)


def found(url: str, shop: str, *rows: int) -> list[tuple[RelatedItem, ...] | None]:
    return [builds.live_list(url, shop, f"item-{row}") for row in rows]


def list_keys(store: Redis, shop: str, generation: int) -> set[bytes]:
    return set(store.scan_iter(match=f"rec:{shop}:{generation}:*", count=1000))


def test_an_overlay_lies_over_what_is_live(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    generation = overlay(publisher, some("item-0", "new"), lists_key="o")
    assert (generation.id, generation.base, generation.role) == (2, 1, "overlay")
    assert (generation.n_items, generation.n_lists, generation.n_entries) == (2, 2, 2)
    assert builds.live_pointer(server_url, shop).live == View((2, 1), ("related",))
    assert found(server_url, shop, 0, 1) == [LAST, builds.expected(1, N)]
    assert builds.live_list(server_url, shop, "new") == LAST
    assert publisher.generations()[0] == generation
    live = publisher.live()
    assert live is not None
    assert (live.id, live.lists_key) == (1, "lists-1")


def test_a_list_without_entries_is_an_answer(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    overlay(publisher, GONE)
    assert found(server_url, shop, 0) == [()]


def test_a_second_overlay_takes_the_place_of_the_first(
    publisher: Publisher, store: Redis, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    many = [f"item-{row}" for row in range(25)]
    overlay(publisher, some(*many))
    generation = overlay(publisher, GONE)
    assert (generation.id, generation.n_lists, generation.n_entries) == (3, 1, 0)
    assert builds.live_pointer(server_url, shop).live.layers == (3, 1)
    assert found(server_url, shop, 0, 1) == [(), builds.expected(1, N)]
    assert not list_keys(store, shop, 2)
    assert not store.exists(Keys(shop).overlay(2))
    assert [(g.id, g.role) for g in publisher.generations()] == [(3, "overlay"), (1, "live")]


def test_an_overlay_is_deleted_without_a_scan(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    publish(publisher, build=1)
    overlay(publisher, GONE)
    store.config_resetstat()
    overlay(publisher, GONE)
    assert "cmdstat_scan" not in store.info("commandstats")
    assert not list_keys(store, shop, 2)


def test_the_next_full_publish_ends_the_overlay(
    publisher: Publisher, store: Redis, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    overlay(publisher, GONE)
    publish(publisher, build=2)
    builds.assert_live(server_url, shop, N, generation=3, build=2)
    assert builds.live_pointer(server_url, shop).live.layers == (3,)
    assert [(g.id, g.role) for g in publisher.generations()] == [
        (3, "live"),
        (2, "overlay"),
        (1, "previous"),
    ]
    assert publisher.rollback().id == 1
    assert builds.live_pointer(server_url, shop).live.layers == (2, 1)
    assert found(server_url, shop, 0, 1) == [(), builds.expected(1, N)]
    for build in (3, 4):
        publish(publisher, build=build)
    assert not list_keys(store, shop, 2)
    assert not list_keys(store, shop, 1)


def test_overlays_leave_the_previous_generation_to_roll_back_to(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    for build in (1, 2):
        publish(publisher, build=build)
    for _ in range(2):
        overlay(publisher, GONE)
    assert publisher.rollback().id == 1
    builds.assert_live(server_url, shop, N, generation=1, build=1)
    assert publisher.rollback().id == 2
    assert builds.live_pointer(server_url, shop).live.layers == (4, 2)


def test_a_rollback_to_what_is_live_takes_the_overlay_away(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    overlay(publisher, GONE)
    with pytest.raises(ConfigError, match="no complete generation 2"):
        publisher.rollback(2)
    assert publisher.rollback(1).id == 1
    assert builds.live_pointer(server_url, shop).live.layers == (1,)
    with pytest.raises(ConfigError, match="generation 1 is live already"):
        publisher.rollback(1)
    assert publisher.collect() == [2]


def test_a_canary_stays_as_it_is(publisher: Publisher, server_url: str, shop: str) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.25)
    overlay(publisher, GONE)
    pointer = builds.live_pointer(server_url, shop)
    assert pointer.live.layers == (3, 1)
    assert (pointer.canary, pointer.canary_share) == (View((2,), ("related",)), 0.25)


def test_readers_find_every_item_in_one_view_whatever_is_published(
    store: Redis, server_url: str, shop: str
) -> None:
    publisher = Publisher(store, shop, batch=10, grace_s=0.3)
    publish(publisher, build=1)
    seen: set[tuple[RelatedItem, ...] | None] = set()
    done = threading.Event()

    def read() -> None:
        with open_store(server_url) as own:
            while not done.is_set():
                pointer = codec.decode_pointer(own.get(Keys(shop).live))
                layers = pointer.live.layers
                keys = [Keys(shop).related_list(g, "related", "item-7") for g in layers]
                raw = next((raw for raw in own.mget(keys) if raw is not None), None)
                seen.add(raw and codec.decode_list(raw, "item-7").items())

    def wait_for(entries: tuple[RelatedItem, ...]) -> None:
        servers.until(lambda: entries in seen)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for build in range(2, 6):
            overlay(publisher, some("item-7") | GONE)
            overlay(publisher, GONE)
            publish(publisher, build=build, canary_share=0.5 if build % 2 else 0.0)
            if build % 2:
                publisher.promote()
            wait_for(builds.expected(7, N, build=build))
    finally:
        done.set()
        reader.join()
    assert seen <= {LAST, *(builds.expected(7, N, build=build) for build in range(1, 6))}


def test_a_placement_that_is_not_live_is_refused(publisher: Publisher, store: Redis) -> None:
    publish(publisher, build=1)
    before = set(store.scan_iter())
    also = builds.some_lists(GONE, placement="also")
    with pytest.raises(DataError, match="placement 'also' is not live; there are related"):
        publisher.lay_over([also], seen=publisher.layers()[0], lists_key="")
    assert set(store.scan_iter()) == before


def test_an_overlay_needs_something_to_lie_on(publisher: Publisher, store: Redis) -> None:
    with pytest.raises(DataError, match="nothing is live yet; publish all lists first"):
        overlay(publisher, GONE)
    assert not list(store.scan_iter())


def test_a_rollback_meanwhile_wins(
    publisher: Publisher, server_url: str, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that took its number before the overlay and moves the pointer after it was read."""
    for build in (1, 2):
        publish(publisher, build=build)
    begin = Generations.begin

    def overtaken(*arguments: object) -> None:
        # The number that the overlay has already is higher than that of this rollback.
        monkeypatch.setattr(Generations, "next_fence", lambda *_: 3)
        publisher.rollback()
        begin(*arguments)  # type: ignore[arg-type]

    publisher.store.incr(Keys(shop).seq)
    monkeypatch.setattr(Generations, "begin", overtaken)
    with pytest.raises(StoreUnavailable, match="generation 4 is superseded"):
        overlay(publisher, GONE)
    builds.assert_live(server_url, shop, N, generation=1, build=1)
    assert [g.id for g in publisher.generations()] == [2, 1]


def test_what_was_collected_is_not_laid_over(publisher: Publisher, store: Redis, shop: str) -> None:
    publish(publisher, build=1)
    store.hset(Keys(shop).generation(1), "state", "staging")
    with pytest.raises(StoreUnavailable, match="generation 2 or 1 was collected"):
        overlay(publisher, GONE)


def test_an_error_on_the_way_takes_the_overlay_back(
    publisher: Publisher, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher, build=1)
    before = set(store.scan_iter())

    def hit(name: str) -> None:
        if name == "publish.before_swap":
            raise OSError(name)

    monkeypatch.setattr(failpoints, "hit", hit)
    with pytest.raises(OSError, match="before_swap"):
        overlay(publisher, GONE)
    assert set(store.scan_iter()) == before


def rows_of(*rows: int, build: int = 3) -> SomeLists:
    """The lists that some items have in another build, as columns."""
    ids, lists = builds.item_ids(N), builds.related_lists(N, build=build)
    return SomeLists(ids, lists, np.array(rows, dtype=np.int32))


def test_exactly_these_lists_lie_over_what_is_live(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    publisher.lay_over([rows_of(3, 5)], seen=publisher.layers()[0], lists_key="one")
    generation = publisher.lay_over([rows_of(5, 0)], seen=publisher.layers()[0], lists_key="two")
    assert (generation.id, generation.base, generation.n_lists) == (3, 1, 2)
    assert found(server_url, shop, 0, 3, 5) == [
        builds.expected(0, N, build=3),
        builds.expected(3, N, build=1),
        builds.expected(5, N, build=3),
    ]
    seen, layers = publisher.layers()
    assert [(layer.id, layer.lists_key) for layer in layers] == [(3, "two"), (1, "lists-1")]
    assert seen.live.layers == (3, 1)


def test_without_lists_an_overlay_is_taken_away(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    assert publisher.lay_over([], seen=publisher.layers()[0], lists_key="none").id == 1
    publisher.lay_over([rows_of(3)], seen=publisher.layers()[0], lists_key="one")
    assert publisher.lay_over([], seen=publisher.layers()[0], lists_key="none").id == 1
    assert builds.live_pointer(server_url, shop).live.layers == (1,)
    assert found(server_url, shop, 3) == [builds.expected(3, N)]


def test_what_was_composed_over_another_pointer_is_not_laid(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    seen, _ = publisher.layers()
    publisher.lay_over([rows_of(3)], seen=seen, lists_key="one")
    for lists in ([rows_of(5)], []):
        with pytest.raises(StoreUnavailable, match="superseded"):
            publisher.lay_over(lists, seen=seen, lists_key="other")
    assert builds.live_pointer(server_url, shop).live.layers == (2, 1)
    assert [g.id for g in publisher.generations()] == [2, 1]


def test_an_overlay_of_awkward_ids(publisher: Publisher, server_url: str, shop: str) -> None:
    publish(publisher, build=1)
    lists: Mapping[str, list[RelatedItem]] = {"{a}%7B": [], "a:b": [*LAST], "ü *?[x]": []}
    overlay(publisher, lists)
    for item, entries in lists.items():
        assert builds.live_list(server_url, shop, item) == tuple(entries)
