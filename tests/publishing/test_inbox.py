"""The stream of changes: applied, acknowledged, and read again where a process died."""

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from recommender.errors import StoreUnavailable
from recommender.publishing import inbox
from recommender.publishing.inbox import GROUP, Inbox
from recommender.publishing.item_changes import ItemChanges
from recommender.serving.keys import Keys
from tests.serving.servers import until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAIT_MS", 10)
    monkeypatch.setattr(inbox, "RETRY_S", 0.01)


@contextmanager
def following(store: Redis, shop: str, consumer: str = "one") -> Iterator[Counter[str]]:
    """Follow the inbox in a thread; the counts are complete after the block."""
    stop, counts = threading.Event(), Counter[str]()
    thread = threading.Thread(
        target=lambda: counts.update(Inbox(store, shop, consumer).follow(stop))
    )
    thread.start()
    try:
        yield counts
    finally:
        stop.set()
        thread.join()


def send(store: Redis, shop: str, *changes: object) -> None:
    for change in changes:
        store.xadd(Keys(shop).inbox, {"change": json.dumps(change)})


def emptied(store: Redis, shop: str) -> bool:
    key = Keys(shop).inbox
    return bool(
        store.exists(key) and store.xlen(key) == 0 and store.xinfo_groups(key)[0]["pending"] == 0
    )


def test_changes_arrive_and_leave_nothing_behind(store: Redis, shop: str) -> None:
    send(store, shop, {"id": "a", "version": 1, "stock": 3})
    with following(store, shop) as counts:
        send(store, shop, {"id": "a", "version": 2, "stock": 0}, {"id": "b", "price": 1})
        until(lambda: emptied(store, shop))
    assert counts == {"applied": 3, "ignored": 0, "refused": 0}
    stored = ItemChanges(store, shop).stored(["a", "b"])
    assert stored["a"] == {"stock": 0, "version": 2}
    assert stored["b"]["price"] == 1
    assert store.zscore(Keys(shop).hidden, "!a")


def test_a_change_without_a_version_has_the_time_of_its_entry(store: Redis, shop: str) -> None:
    change = json.dumps({"id": "a", "stock": 4})
    store.xadd(Keys(shop).inbox, {"change": change}, id="1700000000000-1")
    with following(store, shop):
        until(lambda: emptied(store, shop))
    assert ItemChanges(store, shop).stored(["a"])["a"]["version"] == 1_700_000_000_000


def test_poisoned_entries_are_logged_and_acknowledged(
    store: Redis, shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = Keys(shop).inbox
    store.xadd(key, {"other": "x"})
    store.xadd(key, {"change": b"\xff{"})
    store.xadd(key, {"change": "[" * 100_000})
    send(store, shop, 7, {"id": "a", "stock": "many"}, {"stock": 1}, {"id": "b", "stock": 1})
    with caplog.at_level(logging.WARNING), following(store, shop) as counts:
        until(lambda: emptied(store, shop))
    assert counts == {"applied": 1, "ignored": 0, "refused": 6}
    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 6
    assert "stock = 'many': give a number" in logged[4]
    assert logged[5].endswith("more=1")


def test_entries_of_a_process_that_died_are_applied_by_its_successor(
    store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Keys(shop).inbox
    store.xgroup_create(key, GROUP, id="0", mkstream=True)
    send(store, shop, {"id": "a", "version": 1, "stock": 1}, {"id": "b", "version": 1, "stock": 1})
    store.xreadgroup(GROUP, "one", {key: ">"}, count=1)
    store.xreadgroup(GROUP, "other", {key: ">"}, count=1)
    with following(store, shop):
        until(lambda: bool(ItemChanges(store, shop).stored(["a"])["a"]))
        assert not ItemChanges(store, shop).stored(["b"])["b"]
    monkeypatch.setattr(inbox, "IDLE_MS", 0)
    with following(store, shop):
        until(lambda: emptied(store, shop))
    assert ItemChanges(store, shop).stored(["b"])["b"] == {"stock": 1, "version": 1}


def test_a_change_is_acknowledged_after_it_was_applied(
    store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, failures = ItemChanges.update, list[int]()

    def failing(self: ItemChanges, changes: list[object]) -> object:
        if len(failures) < 2:
            failures.append(store.xinfo_groups(Keys(shop).inbox)[0]["pending"])
            raise StoreUnavailable("gone")
        return update(self, changes)

    monkeypatch.setattr(ItemChanges, "update", failing)
    send(store, shop, {"id": "a", "stock": 1})
    with following(store, shop) as counts:
        until(lambda: emptied(store, shop))
    assert failures == [1, 1]
    assert counts["applied"] == 1


def test_a_store_that_lost_its_data_is_followed_again(store: Redis, shop: str) -> None:
    with following(store, shop) as counts:
        until(lambda: emptied(store, shop))
        store.flushall()
        send(store, shop, {"id": "a", "stock": 1})
        until(lambda: emptied(store, shop))
    assert counts["applied"] == 1


def test_an_inbox_that_is_something_else_is_named(store: Redis, shop: str) -> None:
    store.set(Keys(shop).inbox, "x")
    with pytest.raises(StoreUnavailable, match=r"opening the inbox rec:\{shop-.*WRONGTYPE"):
        Inbox(store, shop, "one").follow(threading.Event())
