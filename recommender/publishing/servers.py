"""The servers of a store, one or the primaries of a Cluster, and the lists that they hold."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar, cast

from redis import Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.exceptions import AskError

from recommender.errors import StoreUnavailable
from recommender.serving.connection import Store

WAIT_MS = 5000
"""How long a replica may take to receive the writes."""

Command = tuple[str | bytes | int, ...]
Key = TypeVar("Key", str, bytes, str | bytes)


class Server(NamedTuple):
    """A server by `name` (host:port on a Cluster, else empty) and the share of keys that it has."""

    name: str
    client: Redis
    share: float


def servers(store: Store) -> list[Server]:
    """All servers that have lists. The primaries of a Cluster are those that it last reported."""
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


def _client_of(store: RedisCluster, name: str) -> Redis:
    """The client of one node by its name."""
    node: ClusterNode = store.get_node(node_name=name)  # type: ignore[no-untyped-call]
    return store.get_redis_connection(node)


def _by_server(store: RedisCluster, keys: Iterable[Key]) -> dict[str, list[Key]]:
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


@dataclass(frozen=True, slots=True)
class StoredLists:
    """The lists of a store, by their keys. Its errors are those of redis-py.

    A Cluster has no command for keys of several slots, so that each server there gets a pipeline
    of single ones. Where a slot moves meanwhile, redis-py follows it.
    """

    store: Store

    def write(self, values: Mapping[str, bytes]) -> None:
        """Write lists."""
        if isinstance(self.store, Redis):
            self.store.mset(values)
        else:
            self._each(values, lambda key: ("SET", key, values[key]))

    def missing(self, keys: Sequence[str]) -> Counter[str]:
        """How many of some lists are not there, by the name of the server that should have them."""
        if isinstance(self.store, Redis):
            return Counter({"": len(keys) - self.store.exists(*keys)})
        found = self._each(keys, lambda key: ("EXISTS", key))
        absent = _by_server(self.store, [key for key, there in found.items() if not there])
        return Counter({name: len(keys) for name, keys in absent.items()})

    def existing(self, keys: Sequence[str]) -> set[str]:
        """Those of some lists that are there."""
        if not isinstance(self.store, Redis):
            found = self._each(keys, lambda key: ("EXISTS", key))
            return {str(key) for key, there in found.items() if there}
        with self.store.pipeline(transaction=False) as commands:
            for key in keys:
                commands.exists(key)
            return {key for key, there in zip(keys, commands.execute(), strict=True) if there}

    def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of some lists, None for one that is not there."""
        if isinstance(self.store, Redis):
            return cast("list[bytes | None]", self.store.mget(keys))
        return list(self._each(keys, lambda key: ("GET", key)).values())

    def replace(self, script: str, values: Mapping[str, tuple[bytes, bytes]]) -> set[str]:
        """Run a script for each key with the value before and after; those that it replaced."""
        commands = {key: ("EVAL", script, 1, key, *pair) for key, pair in values.items()}
        if not isinstance(self.store, Redis):
            replies = self._each(commands, lambda key: commands[key])
            return {str(key) for key, replaced in replies.items() if replaced}
        with self.store.pipeline(transaction=False) as pipeline:
            for command in commands.values():
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
            executed = zip(commands, pipeline.execute(), strict=True)
            return {key for key, replaced in executed if replaced}

    def unlink(self, keys: Sequence[str | bytes]) -> None:
        """Delete lists."""
        if isinstance(self.store, Redis):
            self.store.unlink(*keys)
        else:
            self._each(keys, lambda key: ("UNLINK", key))

    def matching(self, pattern: str, size: int) -> Iterator[list[bytes]]:
        """The keys that match a pattern, at most `size` at a time."""
        for server in servers(self.store):
            found = server.client.scan_iter(match=pattern, count=size)
            while keys := list(islice(found, size)):
                yield keys

    def require_replicated(self, written: Mapping[str, bytes]) -> None:
        """See that on each server of a Cluster one of its replicas, if any, has all lists.

        The servers of a Cluster fail over one by one, so that a pointer which outlives its server
        says nothing of lists on another. A list of each, of those just `written`, is written once
        more: a replica has all commands of its server up to some point.
        Raises: StoreUnavailable.
        """
        if isinstance(self.store, Redis):
            return
        for name, keys in _by_server(self.store, written).items():
            client = _client_of(self.store, name)
            if not int(client.info("replication")["connected_slaves"]):
                continue
            with client.pipeline(transaction=False) as commands:
                commands.set(keys[0], written[keys[0]])
                commands.execute_command("WAIT", 1, WAIT_MS)  # type: ignore[no-untyped-call]
                if not commands.execute()[1]:
                    raise StoreUnavailable(
                        f"node {name}: no replica had the lists after {WAIT_MS / 1000:.0f} s; see "
                        "to its replication, or a failover would lose them"
                    )

    def _each(
        self, keys: Iterable[str | bytes], command: Callable[[Any], Command]
    ) -> dict[str | bytes, Any]:
        """The reply to a command for each key, in the order of `keys`."""
        cluster = cast("RedisCluster", self.store)
        replies: dict[str | bytes, Any] = dict.fromkeys(keys)
        for name, theirs in _by_server(cluster, replies).items():
            client = _client_of(cluster, name)
            with client.pipeline(transaction=False) as commands:
                for key in theirs:
                    commands.execute_command(*command(key))  # type: ignore[no-untyped-call]
                replies.update(zip(theirs, commands.execute(raise_on_error=False), strict=True))
        for key, reply in replies.items():
            if isinstance(reply, AskError):
                replies[key] = cluster.execute_command(*command(key))  # type: ignore[no-untyped-call]
            elif isinstance(reply, Exception):
                raise reply
        return replies
