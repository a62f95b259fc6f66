"""Consoles of a hostile shop, whose lists are live on an embedded store."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from recommender.cli.main import run
from recommender.console.access import Access
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop
from recommender.publishing.embedded import Embedded
from recommender.settings.loading import load
from recommender.settings.model import Settings
from tests.console.hostile import write_hostile_shop

ORIGIN = "http://127.0.0.1:8090"


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of the hostile shop, with one generation live."""
    config = write_hostile_shop(tmp_path_factory.mktemp("hostile"))
    assert run(["reindex", "--config", str(config)]) == 0
    return load(Path(config), [])


@pytest.fixture(scope="session")
def url(settings: Settings) -> Iterator[str]:
    """The URL of its store, which runs during all tests."""
    with Embedded(settings.state.folder).attach() as url:
        yield url


@pytest.fixture(scope="session")
def shop(settings: Settings, url: str) -> Iterator[LiveShop]:
    """The shop with everything loaded."""
    made = LiveShop(settings, url)
    assert made.wait(lambda seen: seen.loaded is not None and bool(seen.loaded.explainers), 60)
    yield made
    made.close()


@pytest.fixture
def visitor(shop: LiveShop) -> TestClient:
    """A browser of the console at `ORIGIN` that has not signed in; the link's token is `once`."""
    app = create_console({shop.name: shop}, Access(link_token="once"), {"127.0.0.1"})
    return TestClient(app, base_url=ORIGIN)


@pytest.fixture
def client(visitor: TestClient) -> TestClient:
    """The same, signed in by the link."""
    assert visitor.get("/console/~/enter?token=once").status_code == 200
    return visitor


def form_token(page: str) -> str:
    """The token of the forms of a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


def settled(client: TestClient, path: str) -> str:
    """A page once nothing on it is being worked out any more."""
    page = client.get(path).text
    while 'id="pending"' in page:
        page = client.get(path).text
    return page
