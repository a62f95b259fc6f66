"""Connections to Redis: explicit timeouts, no hidden retries, no password in a message."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.exceptions import RedisError
from redis.retry import Retry

from recommender.errors import ConfigError, StoreUnavailable

CONNECT_TIMEOUT_S = 2.0
TIMEOUT_S = 10.0
MAX_CONNECTIONS = 512


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
        pool = ConnectionPool(**(parse_url(url) | settings))  # type: ignore[no-untyped-call]
        # An option that redis-py does not know would otherwise surface at the first command.
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, RedisError) as error:
        raise ConfigError(
            f"store url {redacted(url)!r}: not redis://, rediss:// or unix:// with known options"
        ) from error
    return pool


def open_store(url: str) -> Redis:
    """Connect for publishing and commands, and see that the server answers.

    Raises: ConfigError for a URL that names no Redis; StoreUnavailable.
    """
    pool = connection_pool(
        url, connect_timeout_s=CONNECT_TIMEOUT_S, timeout_s=TIMEOUT_S, client_name="recommender"
    )
    store = Redis.from_pool(pool)
    with store_errors(f"store {redacted(url)}", "start the server or correct the url"):
        store.ping()
    return store


@contextmanager
def store_errors(what: str, remedy: str) -> Iterator[None]:
    """Turn errors of redis-py into one line: `what`, the reason, and the `remedy`.

    Raises: StoreUnavailable with the cause.
    """
    try:
        yield
    except RedisError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreUnavailable(f"{what}: {reason}; {remedy}") from error


def redacted(url: str) -> str:
    """`url` without its user and password, for messages and logs; it need not be well formed."""
    without_user = re.sub(r"//.*@", "//***@", url, flags=re.DOTALL)
    return re.sub(r"((?:password|username)=).*", r"\1***", without_user, flags=re.DOTALL)
