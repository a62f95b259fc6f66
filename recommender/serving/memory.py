"""Whether the server has room for one more generation, asked before the first list is written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import OutOfMemoryError

from recommender.errors import StoreUnavailable

KEY_OVERHEAD_BYTES = 100
"""What one small string costs beside its key and value (61 to 89 bytes on Valkey 9 and Redis 7)."""
MARGIN = 1.15
FIXED_BYTES = 1 << 20
"""Buffers of the publisher's connection, scripts, a larger table of keys."""


def estimate(n_lists: int, sample: dict[str, bytes]) -> int:
    """Bytes that `n_lists` lists need when they are like `sample`, which is not empty."""
    sizes = [len(key.encode()) + len(value) + KEY_OVERHEAD_BYTES for key, value in sample.items()]
    return FIXED_BYTES + round(n_lists * sum(sizes) / len(sizes) * MARGIN)


def require_room(store: Redis, need: int) -> None:
    """Refuse a server that would delete lists to make room, or has less than `need` bytes left.

    Raises: StoreUnavailable. Policies that delete only keys with an expiry spare the lists, which
    have none.
    """
    memory = store.info("memory")
    limit, policy = int(memory["maxmemory"]), str(memory["maxmemory_policy"])
    if limit == 0:
        return
    if policy.startswith("allkeys"):
        raise StoreUnavailable(
            f"store: maxmemory-policy {policy} deletes related lists when memory runs out; "
            "set it to noeviction, and keep caches on a server of their own"
        )
    have = max(limit - int(memory["used_memory"]), 0)
    if have < need:
        raise StoreUnavailable(
            f"store: the related lists need about {need} bytes, maxmemory leaves {have}; "
            f"raise maxmemory to {limit + need - have} or publish fewer or shorter lists"
        )


@contextmanager
def named_shortage(store: Redis, need: Callable[[], int]) -> Iterator[None]:
    """Say what was needed and what there was where the room is gone in the middle of a publish.

    Raises: StoreUnavailable.
    """
    try:
        yield
    except OutOfMemoryError as error:
        memory = store.info("memory")
        limit, used = int(memory["maxmemory"]), int(memory["used_memory"])
        raise StoreUnavailable(
            f"store: memory ran out while the related lists were written: they need about {need()} "
            f"bytes, {used} were in use when maxmemory {limit} was reached; something else fills "
            "this server, or maxmemory was lowered: raise it and publish again"
        ) from error
