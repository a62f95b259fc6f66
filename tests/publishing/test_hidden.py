import threading
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.publishing import hidden
from recommender.publishing.hidden import BATCH, TRACE_MS, Hidden
from recommender.serving.connection import connection_pool
from recommender.serving.keys import Keys


@pytest.fixture
def shop_hidden(store: Redis, shop: str) -> Hidden:
    return Hidden(store, shop)


def number(store: Redis, key: str) -> int:
    return int(store.get(key) or 0)


def changes(store: Redis, shop: str) -> dict[bytes, float]:
    found = store.zrange(Keys(shop).hidden, 0, -1, withscores=True)
    return dict(cast("list[tuple[bytes, float]]", found))


class Reader:
    """What docs/redis-contract.md has a reader do."""

    def __init__(self, store: Redis, shop: str) -> None:
        self.store, self.keys = store, Keys(shop)
        self.version = 0
        self.ids: set[str] = set()

    def poll(self) -> set[str]:
        keys = self.keys
        newest, floor = (number(self.store, k) for k in (keys.hidden_version, keys.hidden_floor))
        if newest == self.version:
            return self.ids
        whole = newest < self.version or self.version < floor
        if whole:
            self.ids = set()
        lowest = "-inf" if whole else f"({self.version}"
        found = self.store.zrangebyscore(keys.hidden, lowest, "+inf")
        for change in cast("list[bytes]", found):
            act = self.ids.add if change.startswith(b"+") else self.ids.discard
            act(change[1:].decode())
        self.version = newest
        return self.ids


def test_hidden_items_are_kept_in_the_order_of_their_changes(
    shop_hidden: Hidden, store: Redis, shop: str
) -> None:
    assert shop_hidden.hidden() == []
    assert shop_hidden.hide(["b", "a", "b"]) == 2
    assert shop_hidden.hide(iter(["c", "a"])) == 1
    assert shop_hidden.hidden() == ["a", "b", "c"]
    assert shop_hidden.unhide(["a", "zzz"]) == 1
    assert shop_hidden.unhide(["a"]) == 0
    assert shop_hidden.hidden() == ["b", "c"]
    assert set(changes(store, shop)) == {b"+b", b"+c", b"-a"}
    assert shop_hidden.hide(["a"]) == 1
    assert set(changes(store, shop)) == {b"+b", b"+c", b"+a"}


def test_each_change_has_a_number_above_the_last(
    shop_hidden: Hidden, store: Redis, shop: str
) -> None:
    version = Keys(shop).hidden_version
    acts: list[Callable[[], int]] = [
        lambda: shop_hidden.hide(["a", "b"]),
        lambda: shop_hidden.hide(["c"]),
        lambda: shop_hidden.unhide(["a"]),
    ]
    numbers = [0]
    for act in acts:
        act()
        numbers.append(number(store, version))
        assert max(changes(store, shop).values()) == numbers[-1]
    assert numbers == sorted(set(numbers))
    assert changes(store, shop) == {b"+b": numbers[1], b"+c": numbers[2], b"-a": numbers[3]}


def test_what_changes_nothing_has_no_number(shop_hidden: Hidden, store: Redis, shop: str) -> None:
    shop_hidden.hide(["a"])
    before = number(store, Keys(shop).hidden_version)
    shop_hidden.hide(["a"])
    shop_hidden.unhide(["b"])
    shop_hidden.hide([])
    assert number(store, Keys(shop).hidden_version) == before


@pytest.mark.fault(27)
def test_numbers_rise_although_the_clock_of_the_server_went_back(
    shop_hidden: Hidden, store: Redis, shop: str
) -> None:
    ahead = store.time()[0] * 1000 + 10**9
    store.set(Keys(shop).hidden_version, ahead)
    shop_hidden.hide(["a"])
    shop_hidden.hide(["b"])
    assert changes(store, shop) == {b"+a": ahead + 1, b"+b": ahead + 2}
    assert store.get(Keys(shop).hidden_version) == str(ahead + 2).encode()


def test_numbers_rise_although_the_server_lost_its_data(
    shop_hidden: Hidden, store: Redis, shop: str
) -> None:
    reader = Reader(store, shop)
    shop_hidden.hide(["a"])
    reader.poll()
    store.flushall()
    shop_hidden.hide(["b"])
    assert number(store, Keys(shop).hidden_version) >= reader.version


def test_many_items_are_several_changes(shop_hidden: Hidden, store: Redis, shop: str) -> None:
    ids = [f"item-{row}" for row in range(2 * BATCH + 1)]
    assert shop_hidden.hide(ids) == len(ids)
    assert len(set(changes(store, shop).values())) == 3
    assert sorted(shop_hidden.hidden()) == sorted(ids)


def test_old_traces_are_trimmed_and_the_floor_rises_to_them(
    shop_hidden: Hidden, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidden, "BATCH", 10)
    keys = Keys(shop)
    now = store.time()[0] * 1000
    old, recent = now - TRACE_MS - 60_000, now - TRACE_MS + 60_000
    # So many that the server does not scan them in order.
    traces = {f"-old-{row}": old - row for row in range(300)}
    store.zadd(keys.hidden, traces | {"-recent": recent, "+kept": old - 100, "+a": recent})
    store.set(keys.hidden_version, recent)
    assert shop_hidden.unhide(["a"]) == 1
    assert set(changes(store, shop)) == {b"-recent", b"+kept", b"-a"}
    assert store.get(keys.hidden_floor) == str(old).encode()
    shop_hidden.hide(["a"])
    shop_hidden.unhide(["a"])
    assert store.get(keys.hidden_floor) == str(old).encode()


def test_a_trace_that_became_younger_meanwhile_is_spared(
    shop_hidden: Hidden, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(shop)
    now = store.time()[0] * 1000
    store.zadd(keys.hidden, {"-a": now - 2 * TRACE_MS, "+b": now})
    scan = Redis.zscan_iter

    def hidden_again(self: Redis, *arguments: object) -> object:
        found = list(scan(self, *arguments))  # type: ignore[arg-type]
        shop_hidden.hide(["a"])
        monkeypatch.setattr(Redis, "zscan_iter", scan)
        shop_hidden.unhide(["a"])
        return iter([pair for pair in found if pair[0] == b"-a"])

    monkeypatch.setattr(Redis, "zscan_iter", hidden_again)
    shop_hidden.unhide(["b"])
    assert set(changes(store, shop)) == {b"-a", b"-b"}
    assert not store.exists(keys.hidden_floor)


ids = st.lists(st.sampled_from(["a", "b", "c", "-a", "+b", "ü"]), max_size=4)
steps = st.lists(st.tuples(st.sampled_from(["hide", "unhide", "poll", "age"]), ids), max_size=12)


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(steps)
def test_a_reader_that_polls_now_and_then_knows_what_is_hidden(
    store: Redis, shop: str, steps: list[tuple[str, list[str]]]
) -> None:
    store.flushall()
    shop_hidden, reader, keys = Hidden(store, shop), Reader(store, shop), Keys(shop)
    model: set[str] = set()
    for act, some in steps:
        if act == "hide":
            shop_hidden.hide(some)
            model |= set(some)
        elif act == "unhide":
            shop_hidden.unhide(some)
            model -= set(some)
        elif act == "poll":
            assert reader.poll() == model
        else:  # two days pass: all that was done moves into the past
            for member in changes(store, shop):
                store.zincrby(keys.hidden, -2 * TRACE_MS, member)
            for key in (keys.hidden_version, keys.hidden_floor):
                if store.exists(key):
                    store.decrby(key, 2 * TRACE_MS)
            reader.version -= 2 * TRACE_MS if reader.version else 0
    assert reader.poll() == model
    assert set(shop_hidden.hidden()) == model


def test_hiding_works_at_full_memory(shop_hidden: Hidden, store: Redis) -> None:
    shop_hidden.hide(["a"])
    store.config_set("maxmemory", "1")
    assert shop_hidden.hide(["b"]) == 1
    assert shop_hidden.unhide(["a"]) == 1
    assert shop_hidden.hidden() == ["b"]


def test_two_at_once_both_count(shop_hidden: Hidden) -> None:
    counts: list[int] = []
    threads = [
        threading.Thread(
            target=lambda at=at: counts.append(shop_hidden.hide([f"{at}-{n}" for n in range(2500)]))
        )
        for at in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [2500, 2500]
    assert len(shop_hidden.hidden()) == 5000


@pytest.mark.parametrize("value", ["", "a\n", "\ud800", "x" * 129])
def test_what_is_no_id_is_refused(shop_hidden: Hidden, store: Redis, value: str) -> None:
    for act in (shop_hidden.hide, shop_hidden.unhide):
        with pytest.raises(DataError, match="item id"):
            act(["good", value])
    assert not list(store.scan_iter())


def test_a_shop_that_is_none_is_refused(store: Redis) -> None:
    with pytest.raises(ConfigError, match="shop"):
        Hidden(store, "No Shop")


def test_a_server_that_is_gone_is_one_line(refused_port: int) -> None:
    pool = connection_pool(
        f"redis://127.0.0.1:{refused_port}", connect_timeout_s=1, timeout_s=1, client_name="test"
    )
    gone = Hidden(Redis.from_pool(pool), "acme")
    for act in (gone.hidden, lambda: gone.hide(["a"]), lambda: gone.unhide(["a"])):
        with pytest.raises(StoreUnavailable, match=r"shop acme: .*refused") as failure:
            act()
        assert "\n" not in str(failure.value)
