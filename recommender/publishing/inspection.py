"""Inspection of servers: the facts that decide whether they may serve, room, and lost lists."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from recommender.errors import StoreUnavailable
from recommender.publishing.generations import Generations
from recommender.publishing.servers import Server, StoredLists, servers, uncovered
from recommender.serving.connection import Store, store_errors
from recommender.serving.keys import Keys

FULL_COVERAGE = "cluster-require-full-coverage"
AUDIT_BATCH = 1000
KEY_OVERHEAD_BYTES = 100
"""Bytes of a small string above its key and value (61 to 89 on Valkey 9 and Redis 7)."""
MARGIN = 1.15
FIXED_BYTES = 1 << 20
"""Buffers of the publisher's connection, scripts, a larger table of keys."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server's version, memory rules and openness; None where the user may not ask.

    `open_to_all`: the default user needs no password; `unprotected`: protected mode is off;
    `addresses` are those that it listens on, empty for a unix socket alone; `all_or_nothing`: a
    node of a Cluster answers for none of its slots while another's are lost.
    """

    name: str
    version: tuple[int, ...]
    policy: str
    maxmemory: int
    open_to_all: bool | None
    unprotected: bool | None
    addresses: tuple[str, ...] | None
    in_cluster: bool = False
    all_or_nothing: bool | None = None


def inspect(store: Redis) -> ServerFacts:
    """Ask a server for its facts. Raises: RedisError where it does not even report its version."""
    server, memory = store.info("server"), store.info("memory")
    version = str(server.get("valkey_version") or server["redis_version"])
    settings = _settings(store)
    return ServerFacts(
        name="Valkey" if "valkey_version" in server else "Redis",
        version=tuple(int(part) for part in version.split(".") if part.isdigit()),
        policy=str(memory["maxmemory_policy"]),
        maxmemory=int(memory["maxmemory"]),
        open_to_all=_open_to_all(store),
        unprotected=None if settings is None else settings.get("protected-mode") == "no",
        addresses=None if settings is None else _addresses(settings),
        in_cluster=server.get("redis_mode", server.get("server_mode")) == "cluster",
        all_or_nothing=None if settings is None else settings.get(FULL_COVERAGE) == "yes",
    )


def inspect_servers(store: Store) -> Mapping[str, ServerFacts | str]:
    """The facts of each server by its name, or the reason why it reports none."""
    found: dict[str, ServerFacts | str] = {}
    for server in servers(store):
        try:
            found[server.name] = inspect(server.client)
        except RedisError as error:
            found[server.name] = " ".join(str(error).split())
    return found


def uncovered_slots(store: Store) -> str | None:
    """The slots of a Cluster that no node has, as `0-99, 16383`; None for a store that is none."""
    if isinstance(store, Redis):
        return None
    runs: list[str] = []
    # Slots in a row are as far from their places as each other.
    for _, run in groupby(enumerate(uncovered(store)), lambda at: at[1] - at[0]):
        slots = [slot for _, slot in run]
        runs.append(f"{slots[0]}-{slots[-1]}" if len(slots) > 1 else str(slots[0]))
    return ", ".join(runs)


@dataclass(frozen=True, slots=True)
class Audit:
    """How many lists a generation was published with, and how many of them the server has."""

    generation: int
    published: int
    found: int


def audit(store: Store, shop: str) -> Audit | None:
    """Count the lists of the full generation that is live, None where there is none.

    Readers cannot distinguish lost lists from unknown items. Goes through all keys of the server,
    a thousand at a time. Raises: StoreUnavailable.
    """
    keys = Keys(shop)
    generations = Generations(store, keys, AUDIT_BATCH)
    with store_errors(f"shop {shop}: counting the lists failed", "see to the server"):
        pointer = generations.live()
        generation = generations.described(pointer.generation) if pointer else None
        if generation is None:
            return None
        matching = StoredLists(store).matching(keys.related_lists(generation.id), AUDIT_BATCH)
        record = keys.record(generation.id, "").encode()
        return Audit(
            generation.id,
            generation.n_lists + len(generation.placements),  # with each one's best sellers
            len({name for names in matching for name in names if not name.startswith(record)}),
        )


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
    """Report the room that was needed and that there was, where it runs out during a publish.

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


def _settings(store: Redis) -> dict[str, str] | None:
    try:
        found = store.config_get("protected-mode", "bind", "port", FULL_COVERAGE)
    except RedisError:
        return None
    return {_text(name): _text(value) for name, value in found.items()}


def _addresses(settings: dict[str, str]) -> tuple[str, ...]:
    if settings.get("port") == "0":
        return ()
    return tuple(address.removeprefix("-") for address in settings.get("bind", "*").split())


def _open_to_all(store: Redis) -> bool | None:
    try:
        users = store.acl_list()
    except RedisError:
        return None
    rules = next((_text(user).split() for user in users if _text(user).split()[1] == "default"), [])
    return "on" in rules and "nopass" in rules


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
