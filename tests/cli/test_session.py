"""From the command line to settings, a store and the lists that are live."""

import argparse
import shutil
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.cli.session import live_lists, publisher, require_live, settings_of, store_url
from recommender.errors import ConfigError, DataError
from recommender.settings.model import Settings
from tests.cli.shop import PLAIN_BASKETS
from tests.support.shop_files import orders, write_shop

OFF = "store.url=redis://127.0.0.1:1/0"


def settings(config: Path, *assignments: str) -> Settings:
    return settings_of(argparse.Namespace(config=str(config), assignments=list(assignments)))


def test_options_override_the_file(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(*PLAIN_BASKETS))
    assert settings(config).shop == "acme"
    assert settings(config, "shop=beta").shop == "beta"
    with pytest.raises(ConfigError):
        settings(config, "shpo=beta")
    with pytest.raises(ConfigError):
        settings(tmp_path / "nowhere.toml")


def test_the_url_of_a_server_is_that_of_the_settings(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(*PLAIN_BASKETS))
    with store_url(settings(config, OFF)) as url:
        assert url == "redis://127.0.0.1:1/0"
    with store_url(settings(config)) as url:
        assert url.startswith("unix://")


def test_nothing_is_live_before_the_first_reindex(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(*PLAIN_BASKETS))
    assert live_lists(settings(config)) == (None, "nothing is published yet")
    assert live_lists(settings(config, OFF)) == (None, "nothing is published yet")
    with (
        publisher(settings(config)) as shop,
        pytest.raises(DataError, match="nothing is published for shop acme yet"),
    ):
        require_live(shop)


def test_what_was_published_last_replaces_a_store_that_is_off(live: Path) -> None:
    assert run(["reindex", "--force", "--config", str(live)]) == 0
    for assignments, shown in (
        ((), "lists of the live generation 2"),
        ((OFF,), "lists of generation 2, published last (the store is unavailable)"),
    ):
        found, description = live_lists(settings(live, *assignments))
        assert found is not None
        assert (found.number, description) == (2, shown)


def test_a_build_whose_artifacts_are_gone_is_named(live: Path) -> None:
    shutil.rmtree(settings(live).state.folder / "artifacts" / "acme" / "build")
    assert live_lists(settings(live)) == (None, "the artifacts of generation 1 are gone")
