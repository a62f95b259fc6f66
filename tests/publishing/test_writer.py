"""The writer of a generation: its lease, verification, and what an error takes back."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from recommender.core.telemetry import Advance
from recommender.errors import StoreUnavailable
from recommender.publishing import scripts
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import Scripts
from recommender.publishing.staging import Staging
from recommender.publishing.writer import Lease, held_lease
from recommender.serving.keys import Keys
from tests.publishing.interruptions import KEYS, Live, after, all_keys, fail_at, list_keys
from tests.serving import builds, servers
from tests.serving.builds import publish


def test_progress_counts_the_lists(publisher: Publisher) -> None:
    told: list[tuple[str, int]] = []
    units: list[int] = []

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Advance]:
        told.append((what, total))
        yield units.append

    publish(publisher, build=1, progress=progress)
    assert told == [(f"publish {publisher.shop}", KEYS)]
    assert units == [1, 10, 10, 10, 10]


def test_a_missing_list_is_noticed(
    publisher: Publisher, store: Redis, shop: str, assert_live: Live
) -> None:
    publish(publisher, build=1)
    lists = [builds.related_lists(400, build=2)]
    looked_at = Staging.full(Keys(shop), 2, builds.item_ids(400), lists).sample(200, seed=2)
    missing = next(
        key
        for row in range(400)
        if (key := Keys(shop).related_list(2, "related", f"item-{row}")) not in looked_at
    )
    with pytest.raises(StoreUnavailable, match="of 401 lists written 400 are there, and 0 of 201"):
        publish(publisher, build=2, count=400, progress=after(41, lambda: store.delete(missing)))
    assert_live(1, 1)
    assert len(list_keys(store, shop)) == KEYS


def test_a_changed_list_is_noticed(publisher: Publisher, store: Redis, shop: str) -> None:
    key = Keys(shop).related_list(1, "related", "item-3")
    with pytest.raises(StoreUnavailable, match="1 of 41 looked at differ"):
        publish(publisher, build=1, progress=after(5, lambda: store.set(key, "x")))
    assert publisher.live() is None
    assert not list_keys(store, shop)


def test_the_lease_of_a_publisher_at_work_is_respected(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    done = threading.Event()

    def work(lease: Lease) -> None:
        while not done.wait(0.05):
            lease.keep()

    with held_lease(Scripts.on(store), Keys(shop).lease, 2.0) as lease:
        other = threading.Thread(target=work, args=(lease,))
        other.start()
        try:
            with pytest.raises(StoreUnavailable, match="is publishing; run again") as refusal:
                publish(publisher, build=1)
        finally:
            done.set()
            other.join()
        assert lease.owner in str(refusal.value)
    assert not all_keys(store)
    publish(publisher, build=1)
    assert not store.exists(Keys(shop).lease)


def test_the_lease_of_a_publisher_that_died_is_waited_for(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    store.set(Keys(shop).lease, "a publisher that was killed", px=400)
    publish(publisher, build=1)
    assert publisher.live() is not None


def test_the_lease_is_renewed_while_writing(store: Redis, shop: str) -> None:
    publisher = Publisher(store, shop, lease_s=1.0, batch=10, grace_s=0.0)
    left: list[int] = []

    def wait() -> None:
        began = time.monotonic()
        servers.until(lambda: time.monotonic() - began > 0.4)
        left.append(store.pttl(Keys(shop).lease))

    @contextmanager
    def slowly(_what: str, _total: int) -> Iterator[Advance]:
        yield lambda _units: wait()

    publish(publisher, build=1, progress=slowly)
    assert len(left) == 5
    assert min(left) > 0


def test_a_lost_lease_stops_the_publish(
    store: Redis, shop: str, server_url: str, assert_live: Live
) -> None:
    publish(Publisher(store, shop), build=1)
    brief = Publisher(store, shop, lease_s=0.1, batch=10, grace_s=0.0)
    expired = after(2, lambda: servers.until(lambda: not store.exists(Keys(shop).lease)))
    with pytest.raises(StoreUnavailable, match=r"lost after 0\.\d s without renewal"):
        publish(brief, build=2, progress=expired)
    assert_live(1, 1)
    assert len(list_keys(store, shop)) == KEYS
    assert [found.id for found in brief.generations()] == [1]


def test_the_lease_of_a_successor_is_left_alone(store: Redis, shop: str) -> None:
    lease = Keys(shop).lease
    brief = Publisher(store, shop, lease_s=0.2, batch=10, grace_s=0.0)

    def succeed() -> None:
        servers.until(lambda: not store.exists(lease))
        store.set(lease, "successor", px=30_000)

    with pytest.raises(StoreUnavailable, match="lost after"):
        publish(brief, build=1, progress=after(2, succeed))
    assert store.get(lease) == b"successor"
    assert store.pttl(lease) > 20_000


def test_what_was_collected_is_not_declared_complete(
    publisher: Publisher, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Scripts.run

    def collected_before_it_is_complete(
        self: Scripts, script: str, keys: list[str], arguments: list[str | int | bytes]
    ) -> object:
        if script == scripts.COMPLETE:
            store.delete(Keys(shop).lease)
            assert publisher.collect() == [1]
        return run(self, script, keys, arguments)

    monkeypatch.setattr(Scripts, "run", collected_before_it_is_complete)
    with pytest.raises(StoreUnavailable, match="lost while writing"):
        publish(publisher, build=1)
    assert publisher.live() is None
    assert not list_keys(store, shop)


def test_memory_that_runs_out_takes_the_staging_back(
    publisher: Publisher, store: Redis, shop: str, assert_live: Live
) -> None:
    publish(publisher, build=1)
    full = after(1, lambda: store.config_set("maxmemory", "1"))
    with pytest.raises(StoreUnavailable, match="maxmemory") as failure:
        publish(publisher, build=2, progress=full)
    assert "\n" not in str(failure.value)
    assert_live(1, 1)
    assert len(list_keys(store, shop)) == KEYS
    assert [found.id for found in publisher.generations()] == [1]


@pytest.mark.fault(9)
def test_memory_that_runs_out_at_sixty_per_cent_is_told_in_bytes_and_given_back(
    publisher: Publisher, store: Redis, shop: str, server_url: str
) -> None:
    count = 3000
    told = r"need about \d+ bytes, \d+ were in use when maxmemory 1 was reached"
    publish(publisher, build=1, count=count)
    used = []
    for _ in range(2):  # the first time, the server keeps scripts and a larger table of keys
        full = after(count * 6 // 10 // publisher.batch, lambda: store.config_set("maxmemory", "1"))
        with pytest.raises(StoreUnavailable, match=told):
            publish(publisher, build=2, count=count, progress=full)
        store.config_set("maxmemory", "0")
        assert len(list_keys(store, shop)) == count + 1
        builds.assert_live(server_url, shop, count, generation=1, build=1)
        used.append(store.info("memory")["used_memory"])
    assert abs(used[1] - used[0]) < 0.02 * used[0]


@pytest.mark.fault(11)
def test_a_server_that_begins_to_evict_while_it_is_written_to_is_noticed(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    publish(publisher, build=1, count=1000)
    live = store.get(Keys(shop).live)

    def evict() -> None:
        # The clock by which a server evicts has seconds: what is read now goes last.
        began = time.monotonic()
        servers.until(lambda: time.monotonic() - began > 2.1)
        store.get(Keys(shop).live)
        store.config_set("maxmemory-policy", "allkeys-lru")
        store.config_set("maxmemory", store.info("memory")["used_memory"] - 50_000)

    with pytest.raises(StoreUnavailable, match=r"of 1001 lists written \d+ are there"):
        publish(publisher, build=2, count=1000, progress=after(60, evict))
    assert store.info("stats")["evicted_keys"] > 0
    assert store.get(Keys(shop).live) == live


@pytest.mark.parametrize("place", ["publish.staged", "publish.before_swap"])
def test_an_error_on_the_way_takes_the_staging_back(
    publisher: Publisher,
    store: Redis,
    shop: str,
    assert_live: Live,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    publish(publisher, build=1)
    before = all_keys(store)
    fail_at(place, monkeypatch)
    with pytest.raises(OSError, match=place):
        publish(publisher, build=2)
    assert all_keys(store) == before
    assert_live(1, 1)


def test_an_error_after_the_swap_takes_nothing_back(
    publisher: Publisher, assert_live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher, build=1)
    fail_at("publish.after_swap", monkeypatch)
    with pytest.raises(OSError, match=r"publish\.after_swap"):
        publish(publisher, build=2)
    assert_live(2, 2)
