import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from recommender.errors import StoreUnavailable
from recommender.serving.protocol import (
    MAX_BYTES,
    ClusterRead,
    ErrorReply,
    NodeReply,
    ReplyReader,
    error_reply,
    packed,
    read_topology,
)
from recommender.serving.state import OVERSIZED, UNREAD, Refused

A, B, C = ("a", 1), ("b", 2), ("c", 3)
REPLY = [
    [0, 5000, [b"a", 1, b"id-a", []], [b"r", 9, b"id-r", []]],
    [5001, 10000, [b"b", 2, b"id-b", []]],
    [10001, 16000, [b"a", 1, b"id-a", []]],
]


# The topology


def test_each_slot_has_its_primary() -> None:
    topology = read_topology(REPLY, ("x", 0))
    assert topology.nodes == (A, B)
    found = {topology.node_of(f"key-{number}") for number in range(1000)}
    assert found == {A, B, None}


@given(st.text())
def test_a_key_is_where_the_server_looks_for_it(key: str) -> None:
    slot = key_slot(key.encode(errors="replace"))
    topology = read_topology([[slot, slot, [b"a", 1]]], ("x", 0))
    assert topology.node_of(key.encode(errors="replace").decode()) == A


@pytest.mark.parametrize("host", [b"", None, b"?"])
def test_a_node_that_does_not_know_its_name_is_where_it_was_asked(host: bytes | None) -> None:
    assert read_topology([[0, 16383, [host, 7, b"id"]]], ("x", 5)).nodes == (("x", 7),)


@pytest.mark.parametrize(
    "reply", [[], None, b"OK", 3, [[0]], [[0, 1, []]], [[0, 99999, [b"a", 1]]], [[0, "x", [b"a"]]]]
)
def test_what_is_no_topology_is_refused(reply: object) -> None:
    with pytest.raises(ValueError, match="CLUSTER SLOTS"):
        read_topology(reply, ("x", 0))


# Reading


def test_what_is_redirected_is_asked_once_more() -> None:
    topology = read_topology(REPLY, ("x", 0))
    keys = [f"key-{number}" for number in range(50)]
    read = ClusterRead(keys)
    batches = read.batches(topology)
    assert {batch.address for batch in batches} == {A, B}
    for batch in batches:
        replies: list[NodeReply] = [key.encode() for key in batch.keys]
        if batch.address == A:
            replies[0] = ErrorReply("MOVED", C)
            replies[1] = ErrorReply("ASK", B, asking=True)
            replies[2] = ErrorReply("CLUSTERDOWN")
            replies[3] = None
            lost = batch.keys[:4]
        read.take(batch, replies)
    assert read.outdated
    second = read.redirected()
    assert [(batch.address, batch.asking, batch.keys) for batch in second] == [
        (C, False, lost[:1]),
        (B, True, lost[1:2]),
    ]
    assert list(second[1].commands()) == [("ASKING",), ("GET", lost[1])]
    read.take(second[0], [b"moved"])
    read.take(second[1], [b"OK", b"asked"])
    values = dict(zip(keys, read.values, strict=True))
    assert [values[key] for key in lost] == [b"moved", b"asked", UNREAD, None]
    assert values[lost[2]] is UNREAD
    for key, value in values.items():
        if key not in lost:
            assert value is (UNREAD if topology.node_of(key) is None else value)


# Replies of the nodes of a Cluster


STREAM = b"$3\r\nabc\r\n-MOVED 7 h:6\r\n$-1\r\n+OK\r\n$0\r\n\r\n-ASK 7 :6\r\n-LOADING it\r\n"
TAKEN = [
    b"abc",
    ErrorReply("MOVED 7 h:6", ("h", 6)),
    None,
    b"OK",
    b"",
    ErrorReply("ASK 7 :6", ("asked", 6), asking=True),
    ErrorReply("LOADING it"),
]


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=8))
def test_replies_are_taken_however_they_arrive(cuts: list[int]) -> None:
    reader = ReplyReader(len(TAKEN), ("asked", 1))
    bounds = [0, *sorted(set(cuts)), len(STREAM)]
    done = [reader.feed(STREAM[a:b]) for a, b in itertools.pairwise(bounds)]
    assert done == [False] * (len(done) - 1) + [True]
    assert reader.values == TAKEN


@given(st.binary(max_size=80))
def test_any_bytes_end_in_replies_or_a_error_reply(garbage: bytes) -> None:
    reader = ReplyReader(3, ("asked", 1))
    try:
        done = reader.feed(garbage)
    except StoreUnavailable:
        return
    assert done == (len(reader.values) == 3)


@pytest.mark.parametrize(
    "line", ["MOVED", "MOVED 1", "MOVED 1 host", "MOVED 1 host:port", "ASK  :", "MOVEDX 1 h:1"]
)
def test_a_redirection_that_names_no_node_is_a_error_reply(line: str) -> None:
    assert error_reply(line, ("asked", 1)).redirect is None


# Arrays


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


@pytest.mark.fault(21)
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


@pytest.mark.fault(71)
@pytest.mark.parametrize("chunk", [7, 70])
def test_a_value_that_is_too_large_is_dropped_as_it_arrives(chunk: int) -> None:
    big = b"x" * (MAX_BYTES + 1)
    sent = b"*3\r\n$1\r\na\r\n$%d\r\n%b\r\n$1\r\nb\r\n" % (len(big), big)
    starts = [*range(0, 70, chunk), *range(70, len(sent), 65536)]
    reader = ReplyReader(3)
    ends = [*starts[1:], len(sent)]
    states = [reader.feed(sent[start:end]) for start, end in zip(starts, ends, strict=True)]
    assert states == [False] * (len(states) - 1) + [True]
    assert reader.values == [b"a", OVERSIZED, b"b"]
    assert reader.values[1] is OVERSIZED


def test_what_has_arrived_is_known_before_the_rest() -> None:
    reader = ReplyReader(3)
    assert not reader.feed(b"*3\r\n$1\r\na\r\n$60000000\r\nxxx")
    assert reader.oversized
    found = reader.so_far()
    assert found[0] == b"a"
    assert (found[1] is OVERSIZED, found[2] is UNREAD) == (True, True)
    assert not reader.feed(b"x" * 59_999_997)
    assert not reader.feed(b"\r")
    assert not reader.feed(b"\n$-1")
    assert reader.feed(b"\r\n")


def test_an_error_in_place_of_an_array_leaves_the_connection_in_step() -> None:
    with pytest.raises(Refused, match="WRONGTYPE of key"):
        ReplyReader().feed(b"-WRONGTYPE of key\r\n")
    with pytest.raises(StoreUnavailable) as error:
        ReplyReader().feed(b"-WRONGTYPE\r\n$1\r\n")
    assert not isinstance(error.value, Refused)
