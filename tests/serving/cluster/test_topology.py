import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from recommender.errors import ConfigError, StoreUnavailable
from recommender.serving.cluster.topology import Reading, Refusal, read_topology, refusal
from recommender.serving.cluster.url import ClusterUrl
from recommender.serving.codec import View
from recommender.serving.connection import cluster_url, open_store
from recommender.serving.lookup import RelatedItems
from recommender.serving.polled_state import UNREAD, NotRead, first_found
from recommender.serving.resp import SeveralReplies

PASSWORD = "S3CR3T-xyz"
A, B, C = ("a", 1), ("b", 2), ("c", 3)
REPLY = [
    [0, 5000, [b"a", 1, b"id-a", []], [b"r", 9, b"id-r", []]],
    [5001, 10000, [b"b", 2, b"id-b", []]],
    [10001, 16000, [b"a", 1, b"id-a", []]],
]
VIEW = View((8, 7), ("related",))


# URLs


@pytest.mark.parametrize(
    ("url", "seeds", "first"),
    [
        ("redis+cluster://h", (("h", 6379),), "redis://h:6379"),
        ("redis+cluster://h:1,i:2/0", (("h", 1), ("i", 2)), "redis://h:1"),
        (
            f"rediss+cluster://u:{PASSWORD}@h:1?ssl_ca_certs=/ca",
            (("h", 1),),
            f"rediss://u:{PASSWORD}@h:1?ssl_ca_certs=/ca",
        ),
        ("redis+cluster://[::1]:7,[fe80::1]", (("::1", 7), ("fe80::1", 6379)), "redis://[::1]:7"),
    ],
)
def test_a_cluster_is_named_by_some_of_its_nodes(
    url: str, seeds: tuple[tuple[str, int], ...], first: str
) -> None:
    found = cluster_url(url)
    assert found is not None
    assert found.seeds == seeds
    assert found.node(seeds[0]) == first


def test_other_urls_name_one_server() -> None:
    for url in ("redis://h", "rediss://h", "unix:///s.sock", "embedded", ""):
        assert cluster_url(url) is None


@pytest.mark.parametrize(
    "rest",
    ["", "h:port", "h:99999", "h:0", "a,,b", "h:1/1", "h:1?db=2", "h:1?db=x", "[::1", "h:1/nine"],
)
def test_what_names_no_cluster_is_refused(rest: str) -> None:
    url = f"redis+cluster://u:{PASSWORD}@{rest}"
    for act in (open_store, lambda url: RelatedItems(url, "acme")):
        with pytest.raises(ConfigError, match=r"redis\+cluster") as refused:
            act(url)
        assert PASSWORD not in str(refused.value)


def test_options_that_redis_does_not_know_are_refused_before_a_connection() -> None:
    for act in (open_store, lambda url: RelatedItems(url, "acme")):
        with pytest.raises(ConfigError, match="known options"):
            act("redis+cluster://h?nonsense=1")


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
    reading = Reading(keys)
    batches = reading.batches(topology)
    assert {batch.address for batch in batches} == {A, B}
    for batch in batches:
        replies: list[bytes | Refusal | None] = [key.encode() for key in batch.keys]
        if batch.address == A:
            replies[0] = Refusal("MOVED", C)
            replies[1] = Refusal("ASK", B, asking=True)
            replies[2] = Refusal("CLUSTERDOWN")
            replies[3] = None
            lost = batch.keys[:4]
        reading.take(batch, replies)
    assert reading.astray
    second = reading.redirected()
    assert [(batch.address, batch.asking, batch.keys) for batch in second] == [
        (C, False, lost[:1]),
        (B, True, lost[1:2]),
    ]
    assert list(second[1].commands()) == [("ASKING",), ("GET", lost[1])]
    reading.take(second[0], [b"moved"])
    reading.take(second[1], [b"OK", b"asked"])
    values = dict(zip(keys, reading.values, strict=True))
    assert [values[key] for key in lost] == [b"moved", b"asked", UNREAD, None]
    assert values[lost[2]] is UNREAD
    for key, value in values.items():
        if key not in lost:
            assert value is (UNREAD if topology.node_of(key) is None else value)


def test_a_layer_that_could_not_be_asked_hides_those_below() -> None:
    with pytest.raises(NotRead):
        first_found(9, VIEW, [UNREAD, b"x\n\n\n"], "x")
    assert first_found(9, VIEW, [b"x\n\n\n", UNREAD], "x").generation == 8
    with pytest.raises(NotRead):
        first_found(9, VIEW, [None, UNREAD], "x")
    assert first_found(9, VIEW, [None, None], "x").stored is None


# Replies


STREAM = b"$3\r\nabc\r\n-MOVED 7 h:6\r\n$-1\r\n+OK\r\n$0\r\n\r\n-ASK 7 :6\r\n-LOADING it\r\n"
TAKEN = [
    b"abc",
    Refusal("MOVED 7 h:6", ("h", 6)),
    None,
    b"OK",
    b"",
    Refusal("ASK 7 :6", ("asked", 6), asking=True),
    Refusal("LOADING it"),
]


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=8))
def test_replies_are_taken_however_they_arrive(cuts: list[int]) -> None:
    reader = SeveralReplies(len(TAKEN), ("asked", 1))
    bounds = [0, *sorted(set(cuts)), len(STREAM)]
    done = [reader.feed(STREAM[a:b]) for a, b in itertools.pairwise(bounds)]
    assert done == [False] * (len(done) - 1) + [True]
    assert reader.values == TAKEN


@given(st.binary(max_size=80))
def test_any_bytes_end_in_replies_or_a_refusal(garbage: bytes) -> None:
    reader = SeveralReplies(3, ("asked", 1))
    try:
        done = reader.feed(garbage)
    except StoreUnavailable:
        return
    assert done == (len(reader.values) == 3)


@pytest.mark.parametrize(
    "line", ["MOVED", "MOVED 1", "MOVED 1 host", "MOVED 1 host:port", "ASK  :", "MOVEDX 1 h:1"]
)
def test_a_redirection_that_names_no_node_is_a_refusal(line: str) -> None:
    assert refusal(line, ("asked", 1)).elsewhere is None


def test_a_url_knows_nothing_of_its_options() -> None:
    assert ClusterUrl("redis", "", (A,), "?x=1").node(B) == "redis://b:2?x=1"
