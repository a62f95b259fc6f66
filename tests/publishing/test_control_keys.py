"""Junk in the control keys of a shop: named, survived, and removed by the next publish."""

from collections.abc import Callable

import pytest
from redis import Redis

from recommender.errors import StoreUnavailable
from recommender.publishing.control_keys import ControlKeys
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.serving.keys import Keys
from tests.publishing.interruptions import Live
from tests.serving import builds

pytestmark = pytest.mark.server

Junk = Callable[[Redis, Keys], object]

JUNK: dict[str, Junk] = {
    "generations, a text": lambda store, keys: store.set(keys.generations, "x"),
    "generations, a set": lambda store, keys: store.sadd(keys.generations, "x"),
    "generations, members": lambda store, keys: store.zadd(
        keys.generations, {"x": 1, "-1": 2, "": 3, "9" * 30: 4, "1.5": 5}
    ),
    "hidden, a text": lambda store, keys: store.set(keys.hidden, "x"),
    "hidden, members": lambda store, keys: store.zadd(keys.hidden, {b"x": 1, b"+\xff": 2}),
    "hidden:version": lambda store, keys: store.set(keys.hidden_version, "x"),
    "hidden:floor": lambda store, keys: store.lpush(keys.hidden_floor, "x"),
    "seq, a word": lambda store, keys: store.set(keys.seq, "x"),
    "seq, a list": lambda store, keys: store.lpush(keys.seq, "x"),
    "previous": lambda store, keys: store.lpush(keys.previous, "x"),
    "live": lambda store, keys: store.lpush(keys.live, "x"),
    "lease": lambda store, keys: store.lpush(keys.lease, "x"),
}


def published(publisher: Publisher, build: int) -> int:
    return builds.publish(publisher, build).id


@pytest.mark.fault(61)
@pytest.mark.parametrize("name", JUNK)
def test_the_next_publish_heals_it(
    store: Redis, shop: str, publisher: Publisher, assert_live: Live, name: str
) -> None:
    keys = Keys(shop)
    for build in (1, 2):
        published(publisher, build)
    if "hidden" not in name:
        Hidden(store, shop).hide(["hide-me"])
    if "members" not in name:
        store.delete(f"rec:{{{shop}}}:{name.partition(',')[0]}")
    JUNK[name](store, keys)
    publisher.reserve()
    third = published(publisher, 3)
    assert_live(third, 3)
    assert ControlKeys(store, keys).repair() == []
    assert third in publisher.stored.numbers()
    assert publisher.generations()[0].id == third
    if "hidden" not in name:
        assert Hidden(store, shop).hidden() == ["hide-me"]
    assert Hidden(store, shop).hide(["another"]) == 1


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("generations, a text", lambda publisher: publisher.generations()),
        ("hidden, a text", lambda publisher: Hidden(publisher.store, publisher.shop).hidden()),
        ("hidden, a text", lambda publisher: Hidden(publisher.store, publisher.shop).hide(["a"])),
        ("live", lambda publisher: publisher.live()),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(
    store: Redis, shop: str, publisher: Publisher, name: str, act: Callable[[Publisher], object]
) -> None:
    key = f"rec:{{{shop}}}:{name.partition(',')[0]}"
    store.delete(key)
    JUNK[name](store, Keys(shop))
    with pytest.raises(StoreUnavailable) as refused:
        act(publisher)
    assert key in str(refused.value)
    assert "run recommender reindex --force" in str(refused.value)


def test_members_that_are_no_numbers_are_passed_over(
    store: Redis, shop: str, publisher: Publisher
) -> None:
    first = published(publisher, 1)
    JUNK["generations, members"](store, Keys(shop))
    assert [found.id for found in publisher.generations()] == [first]


def test_generations_that_are_kept_stay_known(
    store: Redis, shop: str, publisher: Publisher
) -> None:
    first, second = published(publisher, 1), published(publisher, 2)
    store.delete(Keys(shop).generations)
    store.set(Keys(shop).generations, "x")
    publisher.stored.repair()
    assert publisher.stored.numbers() == [second, first]


def test_what_belongs_there_stays(store: Redis, shop: str, publisher: Publisher) -> None:
    published(publisher, 1)
    hidden = Hidden(store, shop)
    hidden.hide(["a", "ü x", "+"])
    hidden.unhide(["a"])
    before = {key: store.dump(key) for key in store.keys(f"rec:{{{shop}}}:*")}
    assert ControlKeys(store, Keys(shop)).repair() == []
    assert {key: store.dump(key) for key in store.keys(f"rec:{{{shop}}}:*")} == before
