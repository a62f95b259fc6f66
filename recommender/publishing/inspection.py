"""What a server tells of itself: the facts that decide whether it may serve."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from redis import Redis
from redis.exceptions import RedisError

from recommender.publishing.nodes import servers, uncovered
from recommender.serving.connection import Store

FULL_COVERAGE = "cluster-require-full-coverage"


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
    """Ask a server for its facts. Raises: RedisError where it does not even tell its version."""
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
    """The facts of each server by its name, or the reason why it tells none."""
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
