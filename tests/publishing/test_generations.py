"""The generations of a shop: their numbers, the pointer's moves, and collection."""

import time

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from recommender.core.generation import Generation
from recommender.errors import ConfigError, StoreUnavailable
from recommender.publishing import scripts
from recommender.publishing.generations import Generations
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import Scripts
from recommender.publishing.writer import held_lease
from recommender.serving.keys import Keys
from tests.publishing.interruptions import KEYS, Live, after, list_keys
from tests.serving.builds import N, publish


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


@pytest.mark.fault(55)
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


def test_numbers_begin_above_the_floor(publisher: Publisher) -> None:
    assert publish(publisher, build=1, fence_floor=41).id == 42
    assert publish(publisher, build=2, fence_floor=7).id == 43


def test_a_lost_counter_repeats_no_number(publisher: Publisher, store: Redis, shop: str) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    publisher.rollback()
    store.delete(Keys(shop).seq)
    assert publish(publisher, build=3).id == 4


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
    with held_lease(Scripts.on(store), Keys(shop).lease, 30) as lease:
        Generations(store, Keys(shop), 10).begin(lease.scripts, abandoned, lease.owner)
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


def test_an_undescribed_generation_is_skipped_and_collected(
    publisher: Publisher, store: Redis, shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish(publisher, build=1)
    store.zadd(Keys(shop).generations, {"7": 7})
    assert [found.id for found in publisher.generations()] == [1]
    assert "event=generation_skipped" in caplog.text
    assert publisher.collect() == [7]


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
