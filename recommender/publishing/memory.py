"""Whether the server has room for one more generation, asked before the first list is written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis.exceptions import OutOfMemoryError

from recommender.errors import StoreUnavailable
from recommender.publishing.nodes import Server, servers
from recommender.serving.connection import Store

KEY_OVERHEAD_BYTES = 100
"""What one small string costs beside its key and value (61 to 89 bytes on Valkey 9 and Redis 7)."""
MARGIN = 1.15
FIXED_BYTES = 1 << 20
"""Buffers of the publisher's connection, scripts, a larger table of keys."""


def estimate(n_lists: int, sample: dict[str, bytes]) -> int:
    """Bytes that `n_lists` lists need when they are like `sample`, which is not empty."""
    sizes = [len(key.encode()) + len(value) + KEY_OVERHEAD_BYTES for key, value in sample.items()]
    return FIXED_BYTES + round(n_lists * sum(sizes) / len(sizes) * MARGIN)


def require_room(store: Store, need: int) -> None:
    """Refuse servers that would delete lists to make room, or have too little of it for `need`.

    Each node of a Cluster needs room for its share of the lists. Raises: StoreUnavailable. Policies
    that delete only keys with an expiry spare the lists, which have none.
    """
    for server in servers(store):
        _require_room(server, FIXED_BYTES + round((need - FIXED_BYTES) * server.share))


def _require_room(server: Server, need: int) -> None:
    memory = server.client.info("memory")
    limit, policy = int(memory["maxmemory"]), str(memory["maxmemory_policy"])
    if limit == 0:
        return
    name = f"store {server.name}".rstrip()
    if policy.startswith("allkeys"):
        raise StoreUnavailable(
            f"{name}: maxmemory-policy {policy} deletes related lists when memory runs out; "
            "set it to noeviction, and keep caches on a server of their own"
        )
    have = max(limit - int(memory["used_memory"]), 0)
    if have < need:
        raise StoreUnavailable(
            f"{name}: the related lists need about {need} bytes, maxmemory leaves {have}; "
            f"raise maxmemory to {limit + need - have} or publish fewer or shorter lists"
        )


@contextmanager
def named_shortage(store: Store, need: Callable[[], int]) -> Iterator[None]:
    """Say what was needed and what there was where the room is gone in the middle of a publish.

    Of the nodes of a Cluster the fullest is named. Raises: StoreUnavailable.
    """
    try:
        yield
    except OutOfMemoryError as error:
        name, used, limit = min(map(_use, servers(store)), key=_room)
        raise StoreUnavailable(
            f"{name}: memory ran out while the related lists were written: they need about "
            f"{need()} bytes, {used} were in use when maxmemory {limit} was reached; something "
            "else fills this server, or maxmemory was lowered: raise it and publish again"
        ) from error


def _use(server: Server) -> tuple[str, int, int]:
    memory = server.client.info("memory")
    return server.name or "store", int(memory["used_memory"]), int(memory["maxmemory"])


def _room(use: tuple[str, int, int]) -> float:
    _, used, limit = use
    return limit - used if limit else float("inf")
