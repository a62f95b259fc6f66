import itertools
import time
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.related import RelatedItem
from recommender.errors import StoreUnavailable
from recommender.serving import codec
from recommender.serving.breaker import FAILURES, Breaker
from recommender.serving.cache import Found, ListCache
from recommender.serving.codec import Pointer, StoredList, View
from recommender.serving.core import Core, drawn
from recommender.serving.keys import Keys
from recommender.serving.polled_state import UNREAD, Known, changed, poll
from recommender.serving.query import checked_wish
from recommender.serving.resp import ReplyReader, packed

ITEMS = [f"i{number}" for number in range(12)]
VIEW = View((1,), ("related",))


def stored(ids: list[str]) -> StoredList:
    scores = [1 - rank / 64 for rank in range(len(ids))]
    return codec.decode_list(codec.encode_list("x", ids, scores, [0] * len(ids)), "x")


# Entries


@given(
    ids=st.lists(st.sampled_from(ITEMS), unique=True),
    n=st.integers(0, 15),
    hidden=st.frozensets(st.sampled_from(ITEMS)),
    excluded=st.frozensets(st.sampled_from(ITEMS)),
    lowest=st.sampled_from([-1.0, 0.0, 0.9, 0.95, 2.0]),
)
def test_drawn_entries_are_the_first_that_may_be_shown(
    ids: list[str], n: int, hidden: frozenset[str], excluded: frozenset[str], lowest: float
) -> None:
    entries = drawn(stored(ids), n, hidden, excluded, lowest).items()
    shown = [entry for entry in stored(ids).items() if entry.id not in hidden | excluded]
    assert entries == tuple([entry for entry in shown if entry.score >= lowest][:n])
    assert all(type(entry) is RelatedItem for entry in entries)


@given(
    lists=st.dictionaries(
        st.sampled_from(ITEMS), st.lists(st.sampled_from(ITEMS), unique=True), min_size=1
    ),
    lowest=st.sampled_from([0.0, 1.0, 1.5]),
)
def test_a_merged_list_sums_what_its_items_have(lists: dict[str, list[str]], lowest: float) -> None:
    core = Core("acme", cache_items=10, kept=None)
    core.learn(Known(pointer=Pointer(1, VIEW)), time.monotonic())
    wish = checked_wish("related", 100, (), min_score=lowest, key="")
    question = core.question(list(lists), wish)
    scores = {item: [1 - rank / 64 for rank in range(len(ids))] for item, ids in lists.items()}
    values = [
        codec.encode_list(item, lists[item], scores[item], [0] * len(lists[item]))
        for item in question.wanted
    ]
    core.take(question, VIEW, values)
    merged = core.merged(question, list(lists))
    sums: dict[str, float] = {}
    for item, ids in lists.items():
        for rank, related in enumerate(ids):
            sums[related] = sums.get(related, 0.0) + scores[item][rank]
    shown = {item: total for item, total in sums.items() if total >= lowest}
    assert {entry.id: entry.score for entry in merged.items} == {
        item: total for item, total in shown.items() if item not in lists
    }
    ranked = [entry.score for entry in merged.items]
    assert ranked == sorted(ranked, reverse=True)


# The cache


@given(st.lists(st.tuples(st.sampled_from(ITEMS), st.integers(1, 3))))
def test_the_cache_keeps_its_bound_and_the_newest_fence(puts: list[tuple[str, int]]) -> None:
    cache = ListCache(4)
    for item, fence in puts:
        cache.put_all([(("related", item, False), Found(fence, fence, None))])
        assert len(cache) <= 4
        kept = cache.get(("related", item, False))
        assert kept is not None
        assert kept.fence >= fence


def test_the_longest_unused_leaves_the_cache_first() -> None:
    cache = ListCache(2)
    first, second, third = (("related", item, False) for item in "abc")
    found = Found(1, 1, None)
    cache.put_all([(first, found)])
    cache.put_all([(second, found)])
    cache.get(first)
    cache.put_all([(third, found)])
    assert (cache.get(first), cache.get(second), cache.get(third)) == (found, None, found)


# The breaker


def test_only_failures_in_a_row_open_the_breaker() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed()
        breaker.succeeded()
    states = [breaker.open]
    for _ in range(FAILURES):
        breaker.failed()
    states.append(breaker.open)
    breaker.succeeded()
    states.append(breaker.open)
    breaker.close()
    states.append(breaker.open)
    assert states == [False, True, True, False]
    assert breaker.opened == 1


# Replies


VALUES = st.lists(st.none() | st.binary(max_size=30), max_size=8)


def written(values: list[bytes | None]) -> bytes:
    bulks = [b"$-1\r\n" if v is None else b"$%d\r\n%b\r\n" % (len(v), v) for v in values]
    return b"*%d\r\n" % len(values) + b"".join(bulks)


@given(values=VALUES, cuts=st.lists(st.integers(0, 200)))
def test_a_reply_is_read_however_it_is_cut(values: list[bytes | None], cuts: list[int]) -> None:
    raw = written(values)
    places = sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    reader = ReplyReader()
    complete = [reader.feed(raw[start:end]) for start, end in itertools.pairwise(places)]
    assert complete == [False] * (len(complete) - 1) + [True]
    assert reader.values == values


@given(values=VALUES, more=st.binary(min_size=1, max_size=9))
def test_bytes_behind_a_reply_are_refused(values: list[bytes | None], more: bytes) -> None:
    with pytest.raises(StoreUnavailable):
        ReplyReader().feed(written(values) + more)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    reader = ReplyReader()
    with suppress(StoreUnavailable):
        assert not reader.feed(raw) or all(value is None or value in raw for value in reader.values)


def test_a_command_is_packed_by_bytes() -> None:
    assert packed(("MGET", "käse")) == b"*2\r\n$4\r\nMGET\r\n$5\r\nk\xc3\xa4se\r\n"


# What is known


def test_changes_apply_in_order() -> None:
    assert changed(frozenset("a"), [b"+b", b"-a", b"+a", b"-b", b"?c", b"", None]) == {"a"}


def test_a_poll_reads_only_what_changed() -> None:
    keys = Keys("acme")
    raw = codec.encode_pointer(Pointer(5, VIEW))
    polling = poll(keys, Known())
    assert next(polling)[0] == "MGET"
    assert polling.send([raw, b"7", None]) == ("ZRANGEBYSCORE", keys.hidden, "-inf", "+inf")
    assert polling.send([b"+a"]) == ("MGET", keys.related_list(1, "related", ""))
    with pytest.raises(StopIteration) as stopped:
        polling.send([codec.encode_list("", ["p"], [0.5], [3])])
    known: Known = stopped.value.value
    assert known.hidden == {"a"}
    assert (known.version, known.best["related"].generation) == (7, 1)
    again = poll(keys, known)
    next(again)
    with pytest.raises(StopIteration) as stopped:
        again.send([raw, b"7", b"3"])
    assert stopped.value.value is known
    changes = poll(keys, known)
    next(changes)
    assert changes.send([raw, b"9", b"7"]) == ("ZRANGEBYSCORE", keys.hidden, "(7", "+inf")


def test_best_sellers_that_were_not_told_are_asked_for_again() -> None:
    """Until a node tells them, those of the pointer before stand in."""
    keys, view = Keys("acme"), View((1,), ("related",))

    def polled(known: Known, fence: int, answer: bytes) -> Known:
        polling = poll(keys, known)
        next(polling)
        view_now = View((fence,), view.placements)
        command = polling.send([codec.encode_pointer(Pointer(fence, view_now)), None, None])
        assert command == ("MGET", keys.related_list(fence, "related", ""))
        with pytest.raises(StopIteration) as stopped:
            polling.send([answer])
        return cast("Known", stopped.value.value)

    told = codec.encode_list("", ["p"], [0.5], [3])
    first = polled(Known(version=0), 1, told)
    second = polled(first, 2, UNREAD)
    assert second.pointer is not None
    assert (second.pointer.generation, second.best["related"].generation) == (2, 1)
    third = polled(second, 2, told)
    assert third.best["related"].generation == 2
    again = poll(keys, third)
    next(again)
    with pytest.raises(StopIteration):
        again.send([third.raw, None, None])
    assert polled(Known(version=0), 3, UNREAD).best == {}


@pytest.mark.parametrize(("version", "floor"), [(b"9", b"8"), (b"3", None), (None, None)])
def test_all_hidden_items_are_read_again_below_the_floor_or_after_a_loss(
    version: bytes | None, floor: bytes | None
) -> None:
    polling = poll(Keys("acme"), Known(hidden=frozenset("a"), version=7))
    next(polling)
    assert polling.send([None, version, floor])[2] == "-inf"
    with pytest.raises(StopIteration) as stopped:
        polling.send([])
    assert stopped.value.value.hidden == frozenset()


def test_what_nobody_confirms_is_not_believed() -> None:
    core = Core("acme", cache_items=10, kept=None)
    wish = checked_wish("related", 5, (), min_score=0, key="")
    core.learn(Known(pointer=Pointer(1, VIEW)), time.monotonic())
    question = core.question(["a"], wish)
    core.take(question, VIEW, [codec.encode_list("a", ["b"], [0.5], [0])])
    assert core.answer(question, "a").status == "ok"
    core.learn(core.known, time.monotonic() - 2.5)
    assert core.answer(core.question(["a"], wish), "a").status == "stale"


def test_stale_copies_of_two_pointers_are_not_merged() -> None:
    core = Core("acme", cache_items=10, kept=None)
    wish = checked_wish("related", 5, (), min_score=0, key="")
    for fence, item in ((1, "a"), (2, "b")):
        core.learn(Known(pointer=Pointer(fence, VIEW)), time.monotonic())
        question = core.question([item], wish)
        core.take(question, VIEW, [codec.encode_list(item, [f"of-{item}"], [0.5], [0])])
    core.learn(Known(), time.monotonic())
    merged = core.merged(core.question(["a", "b"], wish), ["a", "b"])
    assert (merged.status, merged.ids) == ("stale", ("of-b",))
