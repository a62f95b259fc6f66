import json
from typing import cast

import pytest

from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys
from recommender.serving.polling import changed, poll
from recommender.serving.state import HIDDEN, UNAVAILABLE, UNREAD, PolledState
from recommender.serving.storefront import NO_STOREFRONT

VIEW = View((1,), ("related",))


def test_changes_apply_in_order() -> None:
    changes = [b"+b", b"-a", b"+a", b"-b", b"?c", b"!d", b"!e", b"=e", b"=b", b"", None]
    assert changed(frozenset("a"), changes, HIDDEN) == {"a"}
    assert changed(frozenset("b"), changes, UNAVAILABLE) == {"d"}


def test_a_poll_reads_only_what_changed() -> None:
    keys = Keys("acme")
    raw = codec.encode_pointer(Pointer(5, VIEW))
    polling = poll(keys, PolledState())
    assert next(polling)[0] == "MGET"
    assert polling.send([raw, b"7", None]) == ("ZRANGEBYSCORE", keys.hidden, "-inf", "+inf")
    command = ("MGET", keys.related_list(1, "related", ""), keys.record(1, ""))
    assert polling.send([b"+a"]) == command
    with pytest.raises(StopIteration) as stopped:
        polling.send([codec.encode_list("", ["p"], [0.5], [3]), None])
    state: PolledState = stopped.value.value
    assert state.hidden == {"a"}
    assert (state.version, state.best_sellers["related"].generation) == (7, 1)
    again = poll(keys, state)
    next(again)
    with pytest.raises(StopIteration) as stopped:
        again.send([raw, b"7", b"3"])
    assert stopped.value.value is state
    changes = poll(keys, state)
    next(changes)
    assert changes.send([raw, b"9", b"7"]) == ("ZRANGEBYSCORE", keys.hidden, "(7", "+inf")


def test_best_sellers_that_were_not_read_are_read_again() -> None:
    """Until their node answers, those of the previous pointer are used."""
    keys, view = Keys("acme"), View((1,), ("related",))

    def polled(state: PolledState, fence: int, answer: bytes) -> PolledState:
        polling = poll(keys, state)
        next(polling)
        view_now = View((fence,), view.placements)
        command = polling.send([codec.encode_pointer(Pointer(fence, view_now)), None, None])
        assert command == ("MGET", keys.related_list(fence, "related", ""), keys.record(fence, ""))
        with pytest.raises(StopIteration) as stopped:
            polling.send([answer, None])
        return cast("PolledState", stopped.value.value)

    value = codec.encode_list("", ["p"], [0.5], [3])
    first = polled(PolledState(version=0), 1, value)
    second = polled(first, 2, UNREAD)
    assert second.pointer is not None
    assert (second.pointer.generation, second.best_sellers["related"].generation) == (2, 1)
    third = polled(second, 2, value)
    assert third.best_sellers["related"].generation == 2
    again = poll(keys, third)
    next(again)
    with pytest.raises(StopIteration):
        again.send([third.raw, None, None])
    assert polled(PolledState(version=0), 3, UNREAD).best_sellers == {}


@pytest.mark.parametrize(("version", "floor"), [(b"9", b"8"), (b"3", None), (None, None)])
def test_all_hidden_items_are_read_again_below_the_floor_or_after_a_loss(
    version: bytes | None, floor: bytes | None
) -> None:
    polling = poll(Keys("acme"), PolledState(hidden=frozenset("a"), version=7))
    next(polling)
    assert polling.send([None, version, floor])[2] == "-inf"
    with pytest.raises(StopIteration) as stopped:
        polling.send([])
    assert stopped.value.value.hidden == frozenset()


def test_a_storefront_is_read_with_the_best_sellers() -> None:
    """It is kept where its node does not answer, and there is none where it is malformed."""
    keys, view = Keys("acme"), View((8, 7), ("related",))

    def polled(state: PolledState, fence: int, *layers: bytes | None) -> PolledState:
        polling = poll(keys, state)
        next(polling)
        polling.send([codec.encode_pointer(Pointer(fence, view)), None, None])
        with pytest.raises(StopIteration) as stopped:
            polling.send([None, None, *layers])
        return cast("PolledState", stopped.value.value)

    value = json.dumps({"id": "", "explore": {"related": 0.1}}).encode()
    first = polled(PolledState(version=0), 1, None, value)
    assert first.storefront.explore == {"related": 0.1}
    assert first.explores
    unread = polled(first, 2, None, UNREAD)
    assert (unread.storefront, unread.complete) == (first.storefront, False)
    malformed = polled(first, 3, None, b'{"id": "a"}')
    assert (malformed.storefront, malformed.complete) == (NO_STOREFRONT, True)
    assert not malformed.explores
    assert polled(first, 4, None, None).storefront is NO_STOREFRONT
