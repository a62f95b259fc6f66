from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.workers.fleet import CLOSED, server, write_tiny_shop
from workers.celery import configured


@pytest.fixture(scope="package", autouse=True)
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The settings that the app in this process reads: shop acme, whose servers are off."""
    path = write_tiny_shop(tmp_path_factory.mktemp("app"), "acme", store=CLOSED, broker=CLOSED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOMMENDER_CONFIG", str(path))
        configured.cache_clear()
        yield path
    configured.cache_clear()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A client of a server of its own."""
    with (
        server(tmp_path_factory.mktemp("store")) as running,
        Redis.from_url(running.url) as store,
    ):
        yield store
