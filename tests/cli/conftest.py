"""Shops with one generation live."""

from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.cli.shop import BASKETS
from tests.support.shop_files import orders, write_shop, write_small_shop


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of the generated shop, with one generation live."""
    config = write_small_shop(tmp_path_factory.mktemp("small"))
    assert run(["reindex", "--config", str(config)]) == 0
    return config


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """The settings of a tiny shop of its own, with one generation live."""
    config = write_shop(tmp_path, orders(*BASKETS))
    assert run(["reindex", "--config", str(config)]) == 0
    return config


@pytest.fixture
def where(live: Path) -> list[str]:
    """The arguments that name the settings of the tiny shop."""
    return ["--config", str(live)]
