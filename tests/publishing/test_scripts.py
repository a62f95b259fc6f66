"""The scripts: what each refuses, and that they run at full memory."""

import json
from typing import cast

import pytest
from redis import Redis

from recommender.publishing import scripts
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import Scripts
from recommender.serving.keys import Keys
from tests.publishing.interruptions import KEYS, Live, after, list_keys
from tests.serving.builds import publish


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


# What each refuses


@pytest.fixture
def keys(shop: str) -> Keys:
    return Keys(shop)


@pytest.fixture
def scripts_on(store: Redis) -> Scripts:
    return Scripts.on(store)


def test_only_its_holder_renews_and_releases_a_lease(
    scripts_on: Scripts, store: Redis, keys: Keys
) -> None:
    assert scripts_on.run(scripts.TAKE_LEASE, [keys.lease], ["one", 60_000]) is None
    taken = scripts_on.run(scripts.TAKE_LEASE, [keys.lease], ["other", 60_000])
    holder, left_ms = cast("tuple[bytes, int]", taken)
    assert holder == b"one"
    assert 0 < left_ms <= 60_000
    assert scripts_on.run(scripts.RENEW_LEASE, [keys.lease], ["other", 90_000]) == 0
    assert store.pttl(keys.lease) <= 60_000
    scripts_on.run(scripts.RELEASE_LEASE, [keys.lease], ["other"])
    assert store.get(keys.lease) == b"one"
    assert scripts_on.run(scripts.RENEW_LEASE, [keys.lease], ["one", 90_000]) == 1
    assert store.pttl(keys.lease) > 60_000
    scripts_on.run(scripts.RELEASE_LEASE, [keys.lease], ["one"])
    assert not store.exists(keys.lease)


def test_numbers_rise_above_the_floor_and_never_fall(scripts_on: Scripts, keys: Keys) -> None:
    drawn = [scripts_on.run(scripts.NEXT_FENCE, [keys.seq], [floor]) for floor in (0, 0, 9, 5, 10)]
    assert drawn == [1, 2, 10, 11, 12]


@pytest.mark.fault(28)
def test_only_who_holds_the_lease_describes_a_generation(
    scripts_on: Scripts, store: Redis, keys: Keys
) -> None:
    """A publisher that was paused would make a live generation one that is being staged."""
    named = [keys.lease, keys.generation(3), keys.generations]
    store.hset(keys.generation(3), "state", "complete")
    described: list[str | int | bytes] = [3, "state", "staging", "owner", "one"]
    for owner in (None, "other"):
        if owner:
            store.set(keys.lease, owner)
        assert scripts_on.run(scripts.BEGIN, named, ["one", *described]) == 0
        assert store.hget(keys.generation(3), "state") == b"complete"
    store.set(keys.lease, "one")
    assert scripts_on.run(scripts.BEGIN, named, ["one", *described]) == 1
    assert store.hgetall(keys.generation(3)) == {b"state": b"staging", b"owner": b"one"}
    assert store.zscore(keys.generations, "3") == 3


@pytest.mark.fault(28)
def test_a_generation_is_complete_where_its_lease_is_held_and_it_is_described(
    scripts_on: Scripts, store: Redis, keys: Keys
) -> None:
    named = [keys.lease, keys.generation(3)]
    store.set(keys.lease, "one")
    assert scripts_on.run(scripts.COMPLETE, named, ["one"]) == 0
    assert not store.exists(keys.generation(3))
    store.hset(keys.generation(3), "state", "staging")
    assert scripts_on.run(scripts.COMPLETE, named, ["other"]) == 0
    assert store.hget(keys.generation(3), "state") == b"staging"
    assert scripts_on.run(scripts.COMPLETE, named, ["one"]) == 1
    assert store.hget(keys.generation(3), "state") == b"complete"


def pointer(fence: int, *layers: int) -> bytes:
    return json.dumps({"fence": fence, "layers": layers}).encode()


@pytest.mark.fault(28)
@pytest.mark.parametrize(
    ("live", "fence", "seen", "outcome"),
    [
        (None, 1, None, b"live"),
        (pointer(4, 4), 5, None, b"live"),
        (pointer(4, 4), 4, None, b"superseded"),
        (pointer(4, 4), 3, None, b"superseded"),
        (pointer(4, 4), 5, 4, b"live"),
        (pointer(4, 4), 5, 3, b"superseded"),
        (b"garbage", 5, None, b"live"),
    ],
)
def test_a_swap_is_refused_where_another_went_live(
    scripts_on: Scripts,
    store: Redis,
    keys: Keys,
    live: bytes | None,
    fence: int,
    seen: int | None,
    outcome: bytes,
) -> None:
    if live is not None:
        store.set(keys.live, live)
    store.hset(keys.generation(5), "state", "complete")
    named = [keys.live, keys.previous, keys.generation(5)]
    arguments: list[str | int | bytes] = [fence, b"new", 5]
    arguments += [] if seen is None else [seen]
    assert scripts_on.run(scripts.SWAP, named, arguments) == outcome
    assert store.get(keys.live) == (b"new" if outcome == b"live" else live)


def test_what_is_live_becomes_the_previous_unless_its_full_generation_stays(
    scripts_on: Scripts, store: Redis, keys: Keys
) -> None:
    store.set(keys.live, pointer(4, 4))
    store.hset(keys.generation(4), "state", "complete")
    named = [keys.live, keys.previous, keys.generation(5), keys.generation(4)]
    overlaid = pointer(5, 5, 4)
    assert scripts_on.run(scripts.SWAP, named, [5, overlaid, 4]) == b"incomplete"
    store.hset(keys.generation(5), "state", "complete")
    assert scripts_on.run(scripts.SWAP, named, [5, overlaid, 4]) == b"live"
    assert not store.exists(keys.previous)
    store.hset(keys.generation(6), "state", "complete")
    named = [keys.live, keys.previous, keys.generation(6)]
    assert scripts_on.run(scripts.SWAP, named, [6, pointer(6, 6), 6]) == b"live"
    assert store.get(keys.previous) == overlaid


def retired(scripts_on: Scripts, keys: Keys, owner: str, *numbers: int) -> object:
    named = [keys.live, keys.previous, keys.lease, *map(keys.generation, numbers)]
    return scripts_on.run(scripts.RETIRE, named, [owner, *numbers])


@pytest.mark.fault(55)
def test_what_is_pointed_to_or_staged_is_not_retired(
    scripts_on: Scripts, store: Redis, keys: Keys
) -> None:
    for number in range(1, 8):
        store.hset(keys.generation(number), mapping={"state": "complete", "owner": "gone"})
    store.set(keys.live, b'{"layers": [3, 1], "canary": {"layers": [5]}}')
    store.set(keys.previous, pointer(2, 2))
    store.set(keys.lease, "one")
    store.hset(keys.generation(6), mapping={"state": "staging", "owner": "one"})
    found = retired(scripts_on, keys, "", *range(1, 9))
    assert found == [[b"4", b"complete"], [b"7", b"complete"], [b"8", b"absent"]]
    assert store.hget(keys.generation(4), "state") == b"staging"
    assert retired(scripts_on, keys, "one", 6) == [[b"6", b"staging"]]


@pytest.mark.parametrize("name", ["live", "previous"])
def test_nothing_is_retired_while_a_pointer_cannot_be_read(
    scripts_on: Scripts, store: Redis, keys: Keys, name: str
) -> None:
    store.hset(keys.generation(4), "state", "complete")
    store.set(getattr(keys, name), b"garbage")
    assert retired(scripts_on, keys, "", 4) == []
    store.delete(getattr(keys, name))
    assert retired(scripts_on, keys, "", 4) == [[b"4", b"complete"]]
