"""Fixtures of stores, publishers and lookups, one shop a test."""

import itertools
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from recommender.publishing.publisher import Publisher
from recommender.serving.lookup import RelatedItems
from tests.serving import servers

_numbers = itertools.count(1)


@pytest.fixture(
    scope="session",
    params=[pytest.param(name, marks=pytest.mark.server) for name in servers.BINARIES],
)
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    binary = servers.binary_of(request.param)
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(binary, Path(folder, "s.sock")) as url,
    ):
        yield url


@pytest.fixture
def store(server_url: str) -> Iterator[Redis]:
    store = servers.emptied(server_url)
    yield store
    store.close()


@pytest.fixture
def shop() -> str:
    return f"shop-{next(_numbers)}"


@pytest.fixture
def publisher(store: Redis, shop: str) -> Publisher:
    return Publisher(store, shop, grace_s=0.0)


@pytest.fixture
def lookup(server_url: str, store: Redis, shop: str) -> Iterator[RelatedItems]:
    """A lookup with time enough for a busy machine."""
    lookup = RelatedItems(server_url, shop, deadline_s=5.0)
    yield lookup
    lookup.close()


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server.getsockname()[1]


@pytest.fixture
def refused_port() -> Iterator[int]:
    """A port that nobody listens on for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
