from typing import cast

import pytest

from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys
from recommender.serving.state import (
    HIDDEN,
    UNAVAILABLE,
    UNREAD,
    NotRead,
    PolledState,
    changed,
    first_layer,
    poll,
)

VIEW = View((1,), ("related",))
LAYERS = View((8, 7), ("related",))


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
    assert polling.send([b"+a"]) == ("MGET", keys.related_list(1, "related", ""))
    with pytest.raises(StopIteration) as stopped:
        polling.send([codec.encode_list("", ["p"], [0.5], [3])])
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
        assert command == ("MGET", keys.related_list(fence, "related", ""))
        with pytest.raises(StopIteration) as stopped:
            polling.send([answer])
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


@pytest.mark.fault(52)
def test_a_layer_that_could_not_be_asked_hides_those_below() -> None:
    with pytest.raises(NotRead):
        first_layer(9, LAYERS, [UNREAD, b"x\n\n\n"], "x")
    assert first_layer(9, LAYERS, [b"x\n\n\n", UNREAD], "x").generation == 8
    with pytest.raises(NotRead):
        first_layer(9, LAYERS, [None, UNREAD], "x")
    assert first_layer(9, LAYERS, [None, None], "x").stored is None
