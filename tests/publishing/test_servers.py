"""Servers and the lists on them: of one server, and of a Cluster as far as it needs none running.

The topologies have the tests on Clusters of real servers.
"""

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis import Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.exceptions import AskError, ResponseError

from recommender.errors import StoreUnavailable
from recommender.publishing.servers import (
    Server,
    StoredLists,
    server_of,
    servers,
    uncovered,
)

VALUES = {f"rec:acme:1:related:item-{number}": b"%d" % number for number in range(25)}


class Pipeline:
    """Commands that one node answers at once: with `replies`, else with the command's name."""

    def __init__(self, node: "Node") -> None:
        self.node, self.commands = node, list[tuple[object, ...]]()

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute_command(self, *command: object) -> None:
        self.commands.append(command)

    def set(self, key: str, value: bytes) -> None:
        self.commands.append(("SET", key, value))

    def execute(self, *, raise_on_error: bool = True) -> list[Any]:
        self.node.sent.append(self.commands)
        return [self.node.replies.get(command[1], command[0]) for command in self.commands]


class Node:
    """A primary, and how many replicas it has."""

    def __init__(self, replicas: int = 0) -> None:
        self.replicas = replicas
        self.replies: dict[Any, Any] = {}
        self.sent: list[list[tuple[object, ...]]] = []

    def pipeline(self, *, transaction: bool) -> Pipeline:
        assert not transaction
        return Pipeline(self)

    def info(self, section: str) -> dict[str, int]:
        assert section == "replication"
        return {"connected_slaves": self.replicas}


class TwoNodes:
    """A Cluster whose keys are on `a` or `b`, by their last letter; some slots have no node."""

    def __init__(self) -> None:
        self.nodes = {name: Node() for name in ("a:1", "b:2")}
        self.owners = {
            f"{host}:{port}": ClusterNode(host, port, "primary")  # type: ignore[no-untyped-call]
            for host, port in (("a", 1), ("b", 2))
        }
        one, other = self.owners.values()
        slots = {slot: [one if slot < SLOTS // 4 else other] for slot in range(SLOTS - 2)}
        self.nodes_manager = SimpleNamespace(slots_cache=slots | {SLOTS - 2: []})
        self.asked: list[tuple[object, ...]] = []

    def get_node_from_key(self, key: str) -> ClusterNode:
        return self.owners["a:1" if key.endswith("a") else "b:2"]

    def get_node(self, *, node_name: str) -> ClusterNode:
        return self.owners[node_name]

    def get_redis_connection(self, owner: ClusterNode) -> Node:
        return self.nodes[owner.name]

    def execute_command(self, *command: object) -> str:
        self.asked.append(command)
        return "from the new node"

    @property
    def store(self) -> RedisCluster:
        return cast("RedisCluster", self)


@pytest.fixture
def cluster() -> TwoNodes:
    return TwoNodes()


# One server


def test_one_server_has_all_keys_and_no_name() -> None:
    store = Redis()
    assert servers(store) == [Server("", store, 1.0)]
    assert server_of(store, "any") is store


def test_lists_are_written_read_missed_and_deleted(store: Redis) -> None:
    lists, names = StoredLists(store), [*VALUES]
    lists.write(VALUES)
    assert lists.read([names[3], "none", names[0]]) == [b"3", None, b"0"]
    assert lists.missing(names) == Counter({"": 0})
    lists.unlink(names[:2])
    assert lists.missing([*names, "none"]) == Counter({"": 3})
    lists.require_replicated(VALUES)


def test_keys_that_match_come_in_parts(store: Redis) -> None:
    lists = StoredLists(store)
    lists.write(VALUES | {"rec:acme:2:related:item-0": b"x"})
    parts = list(lists.matching("rec:acme:1:*", 10))
    assert [len(part) for part in parts] == [10, 10, 5]
    assert {key.decode() for part in parts for key in part} == VALUES.keys()
    assert list(lists.matching("rec:acme:3:*", 10)) == []


# A Cluster


def test_the_share_of_a_server_is_that_of_its_slots(cluster: TwoNodes) -> None:
    one, other = servers(cluster.store)
    assert (one.name, other.name) == ("a:1", "b:2")
    assert one.share == 0.25
    assert one.share + other.share == (SLOTS - 2) / SLOTS
    assert uncovered(cluster.store) == [SLOTS - 2, SLOTS - 1]
    assert server_of(cluster.store, "key-a") is cast("Redis", cluster.nodes["a:1"])


def test_each_server_gets_one_pipeline_and_replies_keep_the_order_of_keys(
    cluster: TwoNodes,
) -> None:
    keys = ["1b", "1a", "2b", "2a"]
    for node, names in (("a:1", ("1a", "2a")), ("b:2", ("1b", "2b"))):
        cluster.nodes[node].replies = {name: name.encode() for name in names}
    assert StoredLists(cluster.store).read(keys) == [b"1b", b"1a", b"2b", b"2a"]
    assert [len(node.sent) for node in cluster.nodes.values()] == [1, 1]
    assert cluster.nodes["a:1"].sent == [[("GET", "1a"), ("GET", "2a")]]


def test_lists_that_are_missing_are_counted_by_server(cluster: TwoNodes) -> None:
    cluster.nodes["a:1"].replies = {"1a": 1, "2a": 0}
    cluster.nodes["b:2"].replies = {"1b": 0, "2b": 0}
    found = StoredLists(cluster.store).missing(["1a", "2a", "1b", "2b"])
    assert found == Counter({"a:1": 1, "b:2": 2})


def test_a_slot_that_moves_is_followed_and_other_errors_are_raised(cluster: TwoNodes) -> None:
    lists = StoredLists(cluster.store)
    cluster.nodes["a:1"].replies = {"1a": AskError("1 127.0.0.1:7000"), "2a": b"2"}
    assert lists.read(["1a", "2a"]) == ["from the new node", b"2"]
    assert cluster.asked == [("GET", "1a")]
    cluster.nodes["a:1"].replies["2a"] = ResponseError("OOM")
    with pytest.raises(ResponseError, match="OOM"):
        lists.write({"2a": b"2"})


def test_only_servers_with_replicas_are_waited_for(cluster: TwoNodes) -> None:
    cluster.nodes["b:2"] = Node(replicas=1)
    written = {"1a": b"a", "1b": b"b", "2b": b"c"}
    cluster.nodes["b:2"].replies = {1: 1}
    StoredLists(cluster.store).require_replicated(written)
    assert cluster.nodes["a:1"].sent == []
    ((repeated, wait),) = cluster.nodes["b:2"].sent
    assert repeated == ("SET", "1b", b"b")
    assert wait[:2] == ("WAIT", 1)
    cluster.nodes["b:2"].replies = {1: 0}
    with pytest.raises(StoreUnavailable, match="node b:2: no replica had the lists after 5 s"):
        StoredLists(cluster.store).require_replicated(written)
