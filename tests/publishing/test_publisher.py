import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from recommender.core import failpoints
from recommender.core.generation import Generation
from recommender.core.telemetry import Advance, Progress
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.publishing import inspection, scripts
from recommender.publishing.generations import Generations
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import Scripts
from recommender.publishing.staging import Staging
from recommender.publishing.writer import Lease, held_lease
from recommender.serving.connection import connection_pool, open_store
from recommender.serving.keys import Keys
from tests.serving import builds, servers
from tests.serving.builds import N, publish

KEYS = N + 1
"""Lists of one generation in Redis: the items' and the best sellers'."""
POINTER = b'{"schema":1,"fence":%d,"layers":[%d],"placements":["related"]}'


@pytest.fixture
def publisher(store: Redis, shop: str) -> Publisher:
    """Five batches a publish: the best sellers, then four of ten items."""
    return Publisher(store, shop, batch=10, grace_s=0.0)


def after(batches: int, act: Callable[[], object]) -> Progress:
    """Progress that calls `act` once, when so many batches are written."""

    @contextmanager
    def progress(_what: str, _total: int) -> Iterator[Advance]:
        written = []

        def advance(units: int) -> None:
            written.append(units)
            if len(written) == batches:
                act()

        yield advance

    return progress


def list_keys(store: Redis, shop: str, generation: int | str = "*") -> set[bytes]:
    return set(store.scan_iter(match=f"rec:{shop}:{generation}:*", count=1000))


def all_keys(store: Redis) -> set[bytes]:
    return set(store.scan_iter(count=1000))


Live = Callable[[int, int], None]


@pytest.fixture
def assert_live(server_url: str, shop: str) -> Live:
    """Assert that a generation, made from a build, is live and whole."""

    def assert_live(generation: int, build: int) -> None:
        builds.assert_live(server_url, shop, N, generation=generation, build=build)

    return assert_live


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


def test_the_previous_is_kept_and_the_one_before_it_is_collected(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    for build in range(1, 5):
        publish(publisher, build=build)
    assert [(found.id, found.role) for found in publisher.generations()] == [
        (4, "live"),
        (3, "previous"),
    ]
    assert len(list_keys(store, shop)) == 2 * KEYS
    assert not list_keys(store, shop, 2)


def test_what_lookups_may_read_is_unlinked_after_a_grace(
    store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = Publisher(store, shop, grace_s=0.5)
    left: list[int] = []

    def sleep(seconds: float) -> None:
        assert seconds == 0.5
        left.append(len(list_keys(store, shop, 1)))

    monkeypatch.setattr("recommender.publishing.generations.time.sleep", sleep)
    publish(patient, build=1)
    publish(patient, build=2)
    assert left == []
    publish(patient, build=3)
    assert left == [KEYS]
    assert not list_keys(store, shop, 1)


def test_shops_share_a_server(store: Redis, server_url: str) -> None:
    publishers = {build: Publisher(store, f"shop-{build}x") for build in (1, 2)}
    for build, publisher in publishers.items():
        publish(publisher, build=build)
    for build in publishers:
        builds.assert_live(server_url, f"shop-{build}x", N, generation=1, build=build)


def test_numbers_begin_above_the_floor(publisher: Publisher) -> None:
    assert publish(publisher, build=1, fence_floor=41).id == 42
    assert publish(publisher, build=2, fence_floor=7).id == 43


def test_a_lost_counter_repeats_no_number(publisher: Publisher, store: Redis, shop: str) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    publisher.rollback()
    store.delete(Keys(shop).seq)
    assert publish(publisher, build=3).id == 4


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


# Verification


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


# Lease and fence


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


def test_an_older_fence_is_superseded(
    publisher: Publisher, store: Redis, shop: str, assert_live: Live
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    with pytest.raises(StoreUnavailable, match="generation 3 is superseded"):
        publish(publisher, build=3, progress=after(2, publisher.rollback))
    assert_live(1, 1)
    assert [(found.id, found.role) for found in publisher.generations()] == [
        (2, "previous"),
        (1, "live"),
    ]
    assert len(list_keys(store, shop)) == 2 * KEYS


def test_a_garbled_pointer_is_replaced(
    publisher: Publisher, store: Redis, shop: str, assert_live: Live
) -> None:
    publish(publisher, build=1)
    store.set(Keys(shop).live, b"garbage")
    assert publisher.live() is None
    assert publisher.collect() == []
    publish(publisher, build=2)
    assert_live(2, 2)
    assert not store.exists(Keys(shop).previous)
    assert [found.id for found in publisher.generations()] == [2]


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


def test_the_swap_and_the_collection_work_at_full_memory(
    publisher: Publisher, store: Redis, shop: str, assert_live: Live
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    publish(publisher, build=3, progress=after(5, lambda: store.config_set("maxmemory", "1")))
    assert_live(3, 3)
    assert [found.id for found in publisher.generations()] == [3, 2]
    assert len(list_keys(store, shop)) == 2 * KEYS


@pytest.mark.fault(54)
def test_a_rollback_works_at_full_memory(
    publisher: Publisher, store: Redis, assert_live: Live
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    store.config_set("maxmemory", "1")
    publisher.rollback()
    assert_live(1, 1)


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


def test_a_generation_taken_meanwhile_is_not_swapped_in(
    publisher: Publisher, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    listed = Generations.all

    def taken_after_it_was_listed(generations: Generations) -> list[Generation]:
        found = listed(generations)
        store.hset(Keys(shop).generation(1), "state", "staging")
        return found

    monkeypatch.setattr(Generations, "all", taken_after_it_was_listed)
    with pytest.raises(StoreUnavailable, match="generation 1 was collected"):
        publisher.rollback()


# Collection


def test_a_collector_spares_what_the_lease_holder_stages(
    publisher: Publisher, assert_live: Live
) -> None:
    collected: list[list[int]] = []
    publish(publisher, build=1, progress=after(2, lambda: collected.append(publisher.collect())))
    assert collected == [[]]
    assert_live(1, 1)


def test_a_collector_takes_what_nobody_stages_any_more(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    publish(publisher, build=1)
    abandoned = Generation(2, "staging", 0, "digest", "key", N, N, 3 * N)
    Generations(store, Keys(shop), 10).begin(abandoned, "a publisher that died")
    for row in range(25):
        store.set(Keys(shop).related_list(2, "related", f"item-{row}"), "x")
    store.config_resetstat()
    assert publisher.collect() == [2]
    assert store.info("commandstats")["cmdstat_unlink"]["calls"] == 4  # 10, 10, 5, description
    assert len(list_keys(store, shop)) == KEYS
    assert publisher.collect() == []


def test_what_waits_for_its_end_cannot_be_rolled_back_to(
    store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = Publisher(store, shop)
    waited: list[float] = []

    def roll_back(seconds: float) -> None:
        with pytest.raises(ConfigError, match="no complete generation 1"):
            patient.rollback(1)
        waited.append(seconds)

    for build in (1, 2):
        publish(patient, build=build)
    monkeypatch.setattr(time, "sleep", roll_back)
    publish(patient, build=3)
    assert waited == [patient.grace_s]
    assert not list_keys(store, shop, 1)


def test_room_taken_by_a_publisher_that_died_is_freed_first(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    abandoned = Generation(1, "staging", 0, "digest", "key", 1, 1, 1)
    Generations(store, Keys(shop), 10).begin(abandoned, "a publisher that died")
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


def test_an_undescribed_generation_is_skipped_and_collected(
    publisher: Publisher, store: Redis, shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish(publisher, build=1)
    store.zadd(Keys(shop).generations, {"7": 7})
    assert [found.id for found in publisher.generations()] == [1]
    assert "event=generation_skipped" in caplog.text
    assert publisher.collect() == [7]


# Faults between the steps


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


def fail_at(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def hit(name: str) -> None:
        if name == place:
            raise OSError(name)

    monkeypatch.setattr(failpoints, "hit", hit)


def test_a_swap_whose_answer_is_lost_is_found_done(
    publisher: Publisher, assert_live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_the_answer(monkeypatch, done=True)
    assert publish(publisher, build=1).role == "live"
    assert_live(1, 1)


def test_a_swap_that_was_not_done_is_an_error(
    publisher: Publisher, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_the_answer(monkeypatch, done=False)
    with pytest.raises(StoreUnavailable, match="no answer") as failure:
        publish(publisher, build=1)
    assert isinstance(failure.value.__cause__, RedisTimeoutError)
    assert not list_keys(store, shop)


def lose_the_answer(monkeypatch: pytest.MonkeyPatch, *, done: bool) -> None:
    run = Scripts.run

    def lossy(
        self: Scripts, script: str, keys: list[str], arguments: list[str | int | bytes]
    ) -> object:
        if script != scripts.SWAP:
            return run(self, script, keys, arguments)
        if done:
            run(self, script, keys, arguments)
        raise RedisTimeoutError("no answer")

    monkeypatch.setattr(Scripts, "run", lossy)


def test_without_the_shebang_everything_but_full_memory_works(
    publisher: Publisher, assert_live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scripts, "on", classmethod(lambda cls, store: cls(store, "")))
    for build in (1, 2, 3):
        publish(publisher, build=build)
    publisher.rollback()
    assert_live(2, 2)


@pytest.mark.parametrize(
    ("version", "prefix"),
    [("6.2.14", ""), ("7.0.15", scripts.ALLOW_OOM), ("10.0.0", scripts.ALLOW_OOM)],
)
def test_only_servers_from_version_7_are_told_to_allow_full_memory(
    version: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Redis()
    monkeypatch.setattr(store, "info", lambda _section: {"redis_version": version})
    assert Scripts.on(store).prefix == prefix


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
