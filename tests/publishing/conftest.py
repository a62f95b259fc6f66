"""A publisher of small batches, and what is live of it."""

import pytest
from redis import Redis

from recommender.publishing.publisher import Publisher
from tests.publishing.interruptions import Live
from tests.serving import builds
from tests.serving.builds import N


@pytest.fixture
def publisher(store: Redis, shop: str) -> Publisher:
    """Five batches a publish: the best sellers, then four of ten items."""
    return Publisher(store, shop, batch=10, grace_s=0.0)


@pytest.fixture
def assert_live(server_url: str, shop: str) -> Live:
    """Assert that a generation, made from a build, is live and whole."""

    def assert_live(generation: int, build: int) -> None:
        builds.assert_live(server_url, shop, N, generation=generation, build=build)

    return assert_live
