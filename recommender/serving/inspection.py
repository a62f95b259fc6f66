"""What a server tells of itself: the facts that decide whether it may serve."""

from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server's version, memory rules and openness; None where the user may not ask.

    `open_to_all`: the default user needs no password; `unprotected`: protected mode is off;
    `addresses` are those that it listens on, empty for a unix socket alone.
    """

    name: str
    version: tuple[int, ...]
    policy: str
    maxmemory: int
    open_to_all: bool | None
    unprotected: bool | None
    addresses: tuple[str, ...] | None


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
    )


def _settings(store: Redis) -> dict[str, str] | None:
    try:
        found = store.config_get("protected-mode", "bind", "port")
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
