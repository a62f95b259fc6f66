"""Live changes on a real server: what is stored, and which items readers withhold."""

import json
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from redis import Redis

from recommender.errors import StoreUnavailable
from recommender.publishing import item_changes
from recommender.publishing.change_fields import laid_over
from recommender.publishing.folded_changes import FoldedField, FoldedItem
from recommender.publishing.hidden import TRACE_MS, Hidden
from recommender.publishing.item_changes import BATCH, ItemChanges
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import connection_pool
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.publishing.interruptions import Live
from tests.serving import builds
from tests.serving.servers import until


@pytest.fixture
def changes(store: Redis, shop: str) -> ItemChanges:
    return ItemChanges(store, shop)


@pytest.fixture
def reader(publisher: Publisher, server_url: str, shop: str) -> Iterator[RelatedItems]:
    builds.publish(publisher, 1)
    with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as reader:
        assert reader.wait_ready()
        yield reader


def first(reader: RelatedItems) -> str:
    return reader.get("item-0").ids[0]


def test_a_sold_out_item_vanishes_within_two_seconds_and_returns(
    reader: RelatedItems, changes: ItemChanges
) -> None:
    item = first(reader)
    assert changes.update([{"id": item, "stock": 0}]).applied == 1
    until(lambda: item not in reader.get("item-0").ids, timeout_s=2.0)
    assert changes.update([{"id": item, "stock": {"berlin": 0, "bonn": 1}}]).applied == 1
    until(lambda: item in reader.get("item-0").ids, timeout_s=2.0)


def test_a_hidden_item_stays_hidden_when_it_is_in_stock_again(
    reader: RelatedItems, changes: ItemChanges, store: Redis, shop: str
) -> None:
    item, hidden = first(reader), Hidden(store, shop)
    changes.update([{"id": item, "stock": 0}])
    hidden.hide([item])
    until(lambda: item not in reader.get("item-0").ids)
    changes.update([{"id": item, "stock": 5}, {"id": "item-2", "deleted": True}])
    until(lambda: "item-2" not in reader.get("item-0").ids)
    assert item not in reader.get("item-0").ids
    assert (hidden.hidden(), hidden.unavailable()) == ([item], ["item-2"])
    assert hidden.withheld() == {item, "item-2"}
    changes.update([{"id": item, "stock": 0}])
    hidden.unhide([item])
    changes.update([{"id": "item-2", "deleted": False}])
    until(lambda: "item-2" in reader.get("item-0").ids)
    assert item not in reader.get("item-0").ids


def test_what_is_withheld_stays_withheld_after_a_publish(
    reader: RelatedItems, changes: ItemChanges, publisher: Publisher, assert_live: Live
) -> None:
    item = first(reader)
    changes.update([{"id": item, "deleted": True}, {"id": "item-2", "price": 5, "stock": 0}])
    generation = builds.publish(publisher, 1).id
    until(lambda: reader.get("item-0").generation == generation)
    until(lambda: not {item, "item-2"} & set(reader.get("item-0").ids))
    assert changes.stored(["item-2"])["item-2"]["price"] == 5


def test_readers_read_nothing_more_where_nothing_changed(
    changes: ItemChanges, store: Redis, shop: str
) -> None:
    changes.update([{"id": "a", "stock": 0}])
    before = store.get(Keys(shop).hidden_version)
    changes.update([{"id": "a", "stock": -1}, {"id": "b", "stock": 7}, {"id": "c", "price": 1}])
    assert store.get(Keys(shop).hidden_version) == before


def test_a_change_counts_once(changes: ItemChanges) -> None:
    given = [
        {"id": "a", "version": 3, "stock": 0},
        {"id": "b", "time": "2026-01-01", "price": 2},
        {"id": "a", "version": 4, "stock": 2},
        {"id": "a", "version": 2, "stock": 9},
    ]
    outcome = changes.update(given)
    assert (outcome.applied, outcome.ignored, outcome.refused) == (3, 1, ())
    again = changes.update(reversed(given))
    assert (again.applied, again.ignored) == (0, 4)
    assert changes.stored(["a", "b", "c"]) == {
        "a": {"stock": 2, "version": 4},
        "b": {"price": 2, "version": 1767225600000, "versions": {"price_minor": 1767225600000}},
        "c": {},
    }


def test_a_refused_change_stops_no_other(changes: ItemChanges) -> None:
    outcome = changes.update([{"id": "a", "stock": 1}, {"id": "b"}, 7, {"id": "c", "stock": "x"}])
    assert outcome.counts() == {"applied": 1, "ignored": 0, "refused": 3}
    assert [(one.place, one.id) for one in outcome.refused] == [(1, "b"), (2, ""), (3, "c")]
    assert "stock = 'x': give a number" in outcome.refused[2].reason


def test_five_thousand_changes_in_one_call(changes: ItemChanges, store: Redis, shop: str) -> None:
    store.config_resetstat()
    given = ({"id": f"i{n}", "version": 1, "stock": n % 2} for n in range(5_000))
    assert changes.update(given).applied == 5_000
    assert len(Hidden(store, shop).unavailable()) == 2_500
    reads = store.info("commandstats")["cmdstat_mget"]["calls"]
    assert reads <= 2 * 5_000 / BATCH
    assert json.loads(store.get(Keys(shop).change("i1")) or b"") == {"stock": 1, "version": 1}


def test_writers_of_the_same_items_lose_no_field_and_agree_with_the_marks(
    changes: ItemChanges, store: Redis, shop: str
) -> None:
    items, seed = [f"i{n}" for n in range(4)], 7

    def write(field: str) -> None:
        draw = random.Random(f"{seed} {field}")
        for version in range(1, 21):
            value = draw.choice([0, 1])
            changes.update([{"id": i, "version": version, field: value} for i in items])

    threads = [threading.Thread(target=write, args=[field]) for field in ("stock", "x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = changes.stored(items)
    unavailable = set(Hidden(store, shop).unavailable())
    for item in items:
        stored = found[item]
        assert (stored["version"], set(stored)) == (20, {"stock", "x", "y", "version"})
        assert (item in unavailable) is (stored["stock"] == 0)


def test_changes_of_others_in_between_are_kept(
    changes: ItemChanges, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, key = ItemChanges(store, shop), Keys(shop).change("a")

    def interrupted(*arguments: object) -> object:
        monkeypatch.setattr(item_changes, "laid_over", laid_over)
        other.update([{"id": "a", "version": 5, "price": 5}])
        return laid_over(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(item_changes, "laid_over", interrupted)
    assert changes.update([{"id": "a", "version": 1, "stock": 0}]).applied == 1
    stored = json.loads(store.get(key) or b"")
    assert (stored["price"], stored["stock"]) == (5, 0)


def test_marks_follow_what_others_changed_in_between(
    changes: ItemChanges, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, other = Hidden.mark, ItemChanges(store, shop)

    def late(self: Hidden, ids: list[str], *, available: bool) -> list[str]:
        monkeypatch.setattr(Hidden, "mark", mark)
        other.update([{"id": "a", "version": 2, "stock": 1}])
        return mark(self, ids, available=available)

    monkeypatch.setattr(Hidden, "mark", late)
    changes.update([{"id": "a", "version": 1, "stock": 0}])
    assert Hidden(store, shop).unavailable() == []


def test_a_call_that_failed_halfway_is_completed_by_a_replay(
    changes: ItemChanges, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    given = [{"id": "a", "version": 1, "stock": 0}]
    with monkeypatch.context() as patched:
        patched.setattr(Hidden, "mark", gone)
        with pytest.raises(StoreUnavailable):
            changes.update(given)
    assert Hidden(store, shop).unavailable() == []
    assert changes.update(given).ignored == 1
    assert Hidden(store, shop).unavailable() == ["a"]


def test_times_of_availability_begin_and_end(changes: ItemChanges, store: Redis, shop: str) -> None:
    now, hidden = store.time()[0], Hidden(store, shop)
    given = {"id": "a", "available_from": now + 100, "available_until": now + 200}
    changes.update([given, {"id": "b", "available_until": now + 100}])
    assert hidden.unavailable() == ["a"]
    due = Keys(shop).due
    for expected, left in ((["b"], {b"a"}), (["b", "a"], set())):
        for item in ("a", "b"):
            stored = dict(changes.stored([item])[item])
            for bound in ("available_from", "available_until"):
                if bound in stored:
                    stored[bound] -= 100
            store.set(Keys(shop).change(item), json.dumps(stored))
        for item in ("a", "b"):
            if store.zscore(due, item) is not None:
                store.zincrby(due, -100, item)
        changes.settle()
        assert sorted(hidden.unavailable()) == sorted(expected)
        assert set(store.zrange(due, 0, -1)) == left


def test_clearing_shows_items_again(changes: ItemChanges, store: Redis, shop: str) -> None:
    changes.update([{"id": item, "stock": 0} for item in ("a", "b {1}", "c")])
    assert changes.clear(["b {1}", "b {1}", "zzz"]) == 1
    assert Hidden(store, shop).unavailable() == ["a", "c"]
    assert changes.clear_all() == 2
    assert Hidden(store, shop).unavailable() == []
    assert not list(store.scan_iter(f"rec:{shop}:*"))


@pytest.mark.parametrize("junk", [b"x", b"[]", b"{", b'{"version": "1"}', None])
def test_what_something_else_wrote_is_replaced(
    changes: ItemChanges, store: Redis, shop: str, junk: bytes | None
) -> None:
    key = Keys(shop).change("a")
    if junk is None:
        store.lpush(key, "x")
    else:
        store.set(key, junk)
    assert changes.update([{"id": "a", "version": 1, "stock": 1}]).applied == 1
    assert json.loads(store.get(key) or b"") == {"stock": 1, "version": 1}


def test_traces_of_availability_are_trimmed(changes: ItemChanges, store: Redis, shop: str) -> None:
    keys = Keys(shop)
    old = store.time()[0] * 1000 - TRACE_MS - 60_000
    store.zadd(keys.hidden, {"=old": old, "!kept": old, "!a": old})
    changes.update([{"id": "a", "stock": 1}])
    assert set(store.zrange(keys.hidden, 0, -1)) == {b"!kept", b"=a"}
    assert int(store.get(keys.hidden_floor) or 0) == old


def test_changes_work_at_full_memory(changes: ItemChanges, store: Redis, shop: str) -> None:
    store.config_set("maxmemory", "1")
    assert changes.update([{"id": "a", "stock": 0}]).applied == 1
    assert Hidden(store, shop).unavailable() == ["a"]


def test_a_server_that_is_gone_is_one_line(refused_port: int) -> None:
    url = f"redis://127.0.0.1:{refused_port}"
    pool = connection_pool(url, connect_timeout_s=1, timeout_s=1, client_name="test")
    with pytest.raises(StoreUnavailable, match=r"shop acme: reading .*refused"):
        ItemChanges(Redis.from_pool(pool), "acme").update([{"id": "a", "stock": 1}])


def test_a_change_that_arrives_while_folded_ones_leave_stays(
    changes: ItemChanges, store: Redis, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes.update([{"id": "a", "version": 1, "price": 1}, {"id": "{b}", "version": 1, "price": 1}])
    read, other = changes._read, ItemChanges(store, shop)

    def slowly(ids: Sequence[str]) -> dict[str, bytes | None]:
        found = read(ids)
        other.update([{"id": "a", "version": 2, "price": 2}])
        return found

    monkeypatch.setattr(changes, "_read", slowly)
    folded = FoldedItem({"price": FoldedField(1, 1, "")}, {})
    assert changes.leave({"a": folded, "{b}": folded}) == 1
    assert {item: stored["price"] for item, stored in other.all().items()} == {"a": 2}
