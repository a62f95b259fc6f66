import logging
import time
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from recommender.core.generation import Generation
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.publishing import inspection
from recommender.publishing.generations import Generations
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import Scripts
from recommender.publishing.staging import Staging
from recommender.publishing.writer import held_lease
from recommender.serving.connection import connection_pool, open_store
from recommender.serving.keys import Keys
from tests.publishing.interruptions import KEYS, Live, after, all_keys, list_keys
from tests.serving import builds
from tests.serving.builds import N, publish

POINTER = b'{"schema":1,"fence":%d,"layers":[%d],"placements":["related"]}'


# Publish


def test_a_published_generation_is_live(
    publisher: Publisher, assert_live: Live, store: Redis
) -> None:
    assert publisher.live() is None
    assert publisher.generations() == []
    generation = publish(publisher, build=1)
    assert generation == Generation(
        id=1,
        state="complete",
        created_at=generation.created_at,
        recipe_digest="digest",
        lists_key="lists-1",
        n_items=N,
        n_lists=N,
        n_entries=3 * N,
        placements=("related",),
        role="live",
    )
    assert abs(generation.created_at - time.time()) < 60
    assert publisher.live() == generation
    assert publisher.generations() == [generation]
    assert_live(1, 1)


def test_the_keys_are_those_of_the_contract(publisher: Publisher, store: Redis, shop: str) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    control = {name for name in all_keys(store) if b"{" in name}
    assert control == {
        f"rec:{{{shop}}}:{name}".encode()
        for name in ("live", "previous", "seq", "generations", "generation:1", "generation:2")
    }
    keys = Keys(shop)
    assert store.get(keys.live) == POINTER % (2, 2)
    assert store.get(keys.previous) == POINTER % (1, 1)
    assert store.get(keys.seq) == b"2"
    assert store.ttl(keys.related_list(2, "related", "item-0")) == -1
    assert all_keys(store) - control == list_keys(store, shop, 1) | list_keys(store, shop, 2)


def test_shops_share_a_server(store: Redis, server_url: str) -> None:
    publishers = {build: Publisher(store, f"shop-{build}x") for build in (1, 2)}
    for build, publisher in publishers.items():
        publish(publisher, build=build)
    for build in publishers:
        builds.assert_live(server_url, f"shop-{build}x", N, generation=1, build=build)


def test_lists_that_do_not_fit_are_refused(publisher: Publisher, store: Redis) -> None:
    ids, lists = builds.item_ids(N), builds.related_lists(N)
    for wrong in ([], [lists, lists], [builds.related_lists(N - 1)]):
        with pytest.raises(DataError):
            publisher.publish(ids, wrong, lists_key="key", recipe_digest="digest")
    with pytest.raises(ConfigError, match="placement 'Top Ten'"):
        publisher.publish(
            ids,
            [builds.related_lists(N, placement="Top Ten")],
            lists_key="key",
            recipe_digest="digest",
        )
    assert not all_keys(store)


@pytest.mark.parametrize(
    "arguments", [{"shop": "A"}, {"batch": 0}, {"batch": 501}, {"grace_s": -1}, {"lease_s": 1}]
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, Any], store: Redis) -> None:
    with pytest.raises(ConfigError):
        Publisher(store, **({"shop": "acme"} | arguments))


# Fence


def test_a_stalled_publisher_cannot_undo_a_later_one(
    publisher: Publisher, store: Redis, shop: str, server_url: str, assert_live: Live
) -> None:
    other_store = open_store(server_url)
    other = Publisher(other_store, shop, grace_s=0.0)

    def overtake() -> None:
        store.delete(Keys(shop).lease)
        publish(other, build=2)

    with pytest.raises(StoreUnavailable):
        publish(publisher, build=1, progress=after(2, overtake))
    assert_live(2, 2)
    assert len(list_keys(store, shop)) == KEYS
    assert [found.id for found in publisher.generations()] == [2]
    other_store.close()


# Memory


@pytest.mark.fault(11)
def test_a_server_that_evicts_is_refused(publisher: Publisher, store: Redis, shop: str) -> None:
    store.config_set("maxmemory-policy", "allkeys-lru")
    publish(publisher, build=1)
    store.config_set("maxmemory", "100mb")
    with pytest.raises(StoreUnavailable, match=r"allkeys-lru deletes related lists.*noeviction"):
        publish(publisher, build=2)
    assert publisher.live() is not None
    store.config_set("maxmemory-policy", "volatile-lru")
    assert publish(publisher, build=2).id == 2


@pytest.mark.fault(10)
def test_too_little_memory_is_refused_before_the_first_list(
    publisher: Publisher, store: Redis, shop: str, assert_live: Live
) -> None:
    publish(publisher, build=1)
    store.config_set("maxmemory", "1")
    store.config_resetstat()
    with pytest.raises(StoreUnavailable, match=r"need about \d+ bytes, maxmemory leaves 0;"):
        publish(publisher, build=2)
    stats = store.info("commandstats")
    assert stats["cmdstat_set"]["calls"] == 1  # the lease
    assert "cmdstat_hset" not in stats
    assert store.get(Keys(shop).seq) == b"1"
    assert_live(1, 1)


def test_the_estimate_is_enough_and_not_twice_too_much(store: Redis, shop: str) -> None:
    count = 10_000
    lists = [builds.related_lists(count, build=3)]
    staging = Staging.full(Keys(shop), 1, builds.item_ids(count), lists)
    need = inspection.estimate(count, staging.sample(1000, seed=0))
    before = store.info("memory")["used_memory"]
    publish(Publisher(store, shop), build=3, count=count)
    used = store.info("memory")["used_memory"] - before
    assert used < need < 2 * used


@pytest.mark.fault(20)
def test_a_publisher_does_not_wait_for_ever_for_a_server_that_is_silent(black_hole: int) -> None:
    pool = connection_pool(
        f"redis://127.0.0.1:{black_hole}", connect_timeout_s=1, timeout_s=0.3, client_name="test"
    )
    silent = Publisher(Redis.from_pool(pool), "acme")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"publishing failed: Timeout reading"):
        publish(silent, build=1)
    assert time.monotonic() - began < 20 * 0.3


# Rollback


def test_a_rollback_goes_to_the_previous_and_back(publisher: Publisher, assert_live: Live) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    assert publisher.rollback().id == 1
    assert_live(1, 1)
    live = publisher.rollback()
    assert (live.id, live.role) == (2, "live")
    assert publisher.live() == live
    assert publish(publisher, build=3).id == 5
    assert [(found.id, found.role) for found in publisher.generations()] == [
        (5, "live"),
        (2, "previous"),
    ]


def test_a_rollback_names_what_there_is(publisher: Publisher) -> None:
    with pytest.raises(ConfigError, match="no previous to roll back to; there are: none"):
        publisher.rollback()
    publish(publisher, build=1)
    with pytest.raises(ConfigError, match="no previous to roll back to; there are: 1 live"):
        publisher.rollback()
    publish(publisher, build=2)
    with pytest.raises(ConfigError, match=r"generation 9 .* there are: 2 live, 1 previous"):
        publisher.rollback(9)
    with pytest.raises(ConfigError, match="generation 2 is live already"):
        publisher.rollback(2)


def test_a_generation_that_is_not_complete_cannot_be_rolled_back_to(publisher: Publisher) -> None:
    def roll_back() -> None:
        with pytest.raises(ConfigError, match="no complete generation 2"):
            publisher.rollback(2)

    publish(publisher, build=1)
    publish(publisher, build=2, progress=after(5, roll_back))


# Collection


@pytest.mark.fault(5, 16)
def test_room_taken_by_a_publisher_that_died_is_freed_first(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    abandoned = Generation(1, "staging", 0, "digest", "key", 1, 1, 1)
    with held_lease(Scripts.on(store), Keys(shop).lease, 30) as lease:
        Generations(store, Keys(shop), 10).begin(lease.scripts, abandoned, lease.owner)
    store.set(Keys(shop).seq, 1)
    store.set(Keys(shop).related_list(1, "related", "item-0"), "x" * 5_000_000)
    store.config_set("maxmemory", store.info("memory")["used_memory"] + 100_000)
    assert publish(publisher, build=2).id == 2


def test_a_collection_that_fails_leaves_the_publish_done(
    publisher: Publisher,
    store: Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise RedisTimeoutError("too slow")

    publish(publisher, build=1)
    publish(publisher, build=2)
    with monkeypatch.context() as patched:
        patched.setattr(Generations, "delete", fail)
        assert publish(publisher, build=3).role == "live"
    assert "event=collect_failed" in caplog.text
    assert publisher.collect() == [1]


# Failures


def test_a_server_that_is_gone_is_one_line(refused_port: int) -> None:
    pool = connection_pool(
        f"redis://127.0.0.1:{refused_port}", connect_timeout_s=1, timeout_s=1, client_name="test"
    )
    gone = Publisher(Redis.from_pool(pool), "acme")
    for act in (gone.live, gone.generations, gone.rollback, gone.collect):
        with pytest.raises(StoreUnavailable, match=r"shop acme: .* failed: .*refused") as failure:
            act()
        assert "\n" not in str(failure.value)
    with pytest.raises(StoreUnavailable, match="publishing failed"):
        publish(gone, build=1)


def test_the_log_tells_what_went_live(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="recommender"):
        publish(publisher, build=1)
        publish(publisher, build=2)
        publisher.rollback()
    assert f"event=published shop={publisher.shop} generation=2" in caplog.text
    assert f"event=rolled_back shop={publisher.shop} generation=1" in caplog.text
