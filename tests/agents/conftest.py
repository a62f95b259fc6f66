"""The generated shop with one generation live, its store running, and what agents ask of it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recommender.agents.server import AgentServer
from recommender.agents.shop import AgentShop
from recommender.cli.main import run
from recommender.cli.session import store_url
from recommender.settings.loading import load
from recommender.settings.model import Settings
from tests.support.shop_files import write_small_shop


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of the generated shop, with one generation live."""
    config = write_small_shop(tmp_path_factory.mktemp("small"))
    assert run(["reindex", "--config", str(config)]) == 0
    return config


@pytest.fixture(scope="session")
def store(small_shop: Path) -> Iterator[str]:
    """The URL of the shop's store, which runs."""
    with store_url(load(small_shop)) as url:
        yield url


@pytest.fixture
def settings(small_shop: Path) -> Settings:
    """The settings of the shop."""
    return load(small_shop)


@pytest.fixture
def agents(settings: Settings, store: str) -> Iterator[AgentServer]:
    """What answers agents."""
    with closing(AgentShop(settings, store)) as shop:
        yield AgentServer(shop, settings)
