"""The servers of a store: one, or the primaries of a Cluster."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from redis import Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS

from recommender.serving.connection import Store

Key = TypeVar("Key", str, bytes, str | bytes)


class Server(NamedTuple):
    """A server by `name` (host:port on a Cluster, else empty) and the share of keys that it has."""

    name: str
    client: Redis
    share: float


def servers(store: Store) -> list[Server]:
    """All servers that have lists. The primaries of a Cluster are those that it told of last."""
    if isinstance(store, Redis):
        return [Server("", store, 1.0)]
    counts = Counter(owner.name for owner in _owners(store).values())
    clients = {node.name: store.get_redis_connection(node) for node in _owners(store).values()}
    return [Server(name, clients[name], counts[name] / SLOTS) for name in sorted(clients)]


def server_of(store: Store, key: str) -> Redis:
    """The server that has a key. Raises: RedisClusterException where none has its slot."""
    if isinstance(store, Redis):
        return store
    owner: ClusterNode = store.get_node_from_key(key)  # type: ignore[no-untyped-call]
    return store.get_redis_connection(owner)


def client_of(store: RedisCluster, name: str) -> Redis:
    """The client of one node by its name."""
    node: ClusterNode = store.get_node(node_name=name)  # type: ignore[no-untyped-call]
    return store.get_redis_connection(node)


def by_server(store: RedisCluster, keys: Iterable[Key]) -> dict[str, list[Key]]:
    """Group keys by the name of the node that has them.

    Raises: RedisClusterException where none has the slot of one.
    """
    grouped: dict[str, list[Key]] = {}
    for key in keys:
        owner: ClusterNode = store.get_node_from_key(key)  # type: ignore[no-untyped-call]
        grouped.setdefault(owner.name, []).append(key)
    return grouped


def uncovered(store: RedisCluster) -> list[int]:
    """The slots of a Cluster that no server has, in order."""
    owners = _owners(store)
    return [slot for slot in range(SLOTS) if slot not in owners]


def _owners(store: RedisCluster) -> dict[int, ClusterNode]:
    slots = store.nodes_manager.slots_cache
    return {slot: nodes[0] for slot, nodes in slots.items() if nodes}
