"""Clients of Redis: explicit timeouts, no hidden retries, no password in a message."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import ConnectionPool, SSLConnection, parse_url
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from recommender.errors import ConfigError, StoreUnavailable
from recommender.serving.urls import (
    ClusterUrl,
    SentinelUrl,
    cluster_url,
    redacted,
    sentinel_url,
)

Store = Redis | RedisCluster
"""The client that publishers and commands use."""

STORE_ERRORS = (RedisError, RedisClusterException)
"""The errors of a store: in redis-py, those of a Cluster are not a RedisError."""

CONNECT_TIMEOUT_S = 2.0
TIMEOUT_S = 10.0
POLL_TIMEOUT_S = 2.0
"""For connecting, and for the commands of a lookup that no shopper waits for."""
MAX_CONNECTIONS = 512
OTHER_NODES = 5
"""How many more nodes of a Cluster are tried when it is opened."""

HINTS = {
    "Connection closed by server": "if its port expects TLS, write rediss:// in the url",
    "the server hung up": "if its port expects TLS, write rediss:// in the url",
    "WRONG_VERSION_NUMBER": "its port does not expect TLS, write redis:// in the url",
    "wrong version number": "its port does not expect TLS, write redis:// in the url",
    "MOVED ": "it is a node of a Cluster, write redis+cluster:// in the url",
    "Authentication required": "write the password into the url, redis://:PASSWORD@host",
    "NOAUTH": "write the password into the url, redis://:PASSWORD@host",
    "unknown command 'SENTINEL": "it is no Sentinel, write redis:// in the url",
    "unknown command 'sentinel": "it is no Sentinel, write redis:// in the url",
    "unknown command 'MGET": "if it is a Sentinel, write redis+sentinel://host:port/service",
}
"""By a part of the reason, what to do."""


def connection_pool(
    url: str, *, connect_timeout_s: float, timeout_s: float, client_name: str
) -> ConnectionPool:
    """A pool for `url` that has not connected yet; no option in the URL overrides the timeouts.

    redis-py itself would wait 5 s for a socket and try 10 times more. Raises: ConfigError.
    """
    settings: dict[str, Any] = {
        "client_name": client_name,
        "socket_connect_timeout": connect_timeout_s,
        "socket_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "retry_on_timeout": False,
        "health_check_interval": 0,
        "max_connections": MAX_CONNECTIONS,
        "protocol": 2,
        "decode_responses": False,
    }
    try:
        _refuse_fragment(url)
        pool = ConnectionPool(**(parse_url(url) | settings))  # type: ignore[no-untyped-call]
        # An option that redis-py does not know would otherwise surface at the first command.
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, RedisError) as error:
        raise ConfigError(
            f"store url {redacted(url)!r}: not redis://, rediss://, redis+cluster://, "
            "rediss+cluster://, redis+sentinel://, rediss+sentinel:// or unix:// with known "
            f"options{_quoting(url)}"
        ) from error
    return pool


def open_store(url: str) -> Store:
    """Connect for publishing and commands, and check that the server, or the Cluster, answers.

    With Sentinels, each new connection is to the server that is the primary then.
    Raises: ConfigError for a URL that names no Redis; StoreUnavailable.
    """
    cluster, sentinel = cluster_url(url), sentinel_url(url)
    with store_errors(f"store {redacted(url)}", "start the server or correct the url"):
        if cluster is not None:
            return _open_cluster(cluster)
        if sentinel is not None:
            store = _open_primary(sentinel)
        else:
            store = Redis.from_pool(_publishers_pool(url))
        store.ping()
        return store


def _open_cluster(url: ClusterUrl) -> RedisCluster:
    """A client of the whole Cluster, with our timeouts for every node and no retries."""
    pool = _publishers_pool(url.node(url.seeds[0]))
    given = {"host", "port", "db", "retry", "retry_on_timeout"}
    settings = {name: value for name, value in pool.connection_kwargs.items() if name not in given}
    store = RedisCluster(
        startup_nodes=[ClusterNode(*seed) for seed in url.seeds],  # type: ignore[no-untyped-call]
        # redis-py asks one node for the commands that exist; if that node is dead, another one.
        retry=Retry(NoBackoff(), OTHER_NODES),
        require_full_coverage=False,
        max_connections=MAX_CONNECTIONS,
        ssl=issubclass(pool.connection_class, SSLConnection),
        **settings,
    )
    store.set_retry(pool.connection_kwargs["retry"])
    return store


def _open_primary(url: SentinelUrl) -> Redis:
    """A client of the primary that the Sentinels name, with our timeouts and no retries."""
    pool = _publishers_pool(url.server(url.sentinels[0]))
    place = {"host", "port"}
    settings = {name: given for name, given in pool.connection_kwargs.items() if name not in place}
    sentinel = Sentinel([])  # type: ignore[no-untyped-call]
    sentinel.sentinels = [
        Redis.from_pool(_publishers_pool(url.sentinel(address))) for address in url.sentinels
    ]
    store: Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        url.service,
        ssl=issubclass(pool.connection_class, SSLConnection),
        max_connections=MAX_CONNECTIONS,
        **settings,
    )
    return store


def _publishers_pool(url: str) -> ConnectionPool:
    return connection_pool(
        url, connect_timeout_s=CONNECT_TIMEOUT_S, timeout_s=TIMEOUT_S, client_name="recommender"
    )


@contextmanager
def store_errors(what: str, remedy: str) -> Iterator[None]:
    """Turn errors of redis-py into one line: `what` failed, the reason, and the `remedy`.

    Raises: StoreUnavailable with the cause.
    """
    try:
        yield
    except STORE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreUnavailable(f"{what}: {reason}; {hint(reason) or remedy}") from error


def hint(reason: str) -> str:
    """What most likely corrects an error of a server, empty where that is not known."""
    return next((remedy for symptom, remedy in HINTS.items() if symptom in reason), "")


def _refuse_fragment(url: str) -> None:
    """Raise ValueError for a # before the server, which redis-py would look for elsewhere."""
    if "#" in url.partition("://")[2].rpartition("@")[0] and not url.startswith("unix:"):
        raise ValueError("an unquoted # before the server")


def _quoting(url: str) -> str:
    """A hint for a url whose password holds what ends, or divides, the part of the server."""
    login, at, _ = url.partition("://")[2].rpartition("@")
    if at and any(character in login for character in "#/?@"):
        return "; in a user or password, write # as %23, / as %2F, ? as %3F and @ as %40"
    return ""
