"""A shop with two generations and a held build, and browsers of its console."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.testclient import TestClient

from recommender.cli.main import run
from recommender.console.access import Access
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop
from recommender.publishing.embedded import Embedded
from recommender.service.keys import KeyRing, new_key
from recommender.settings.loading import load
from tests.console.conftest import ORIGIN, form_token
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
MORE = [*BASKETS, *[("a", "<b>x", "y"), ("a", "d"), ("f", "d")] * 3]
FEWER: list[tuple[str, ...]] = [("a", "b"), ("a", "f")]


@contextmanager
def released(folder: Path) -> Iterator[LiveShop]:
    """Generation 2 is live, 1 is the previous one, and run 3 is held."""
    for baskets, code in ((BASKETS, 0), (MORE, 0), (FEWER, 6)):
        config = write_shop(folder, orders(*baskets))
        assert run(["reindex", "--config", str(config)]) == code
    settings = load(config)
    with Embedded(settings.state.folder).attach() as url:
        shop = LiveShop(settings, url, poll_s=0.05)
        try:
            assert shop.wait(lambda seen: seen.loaded is not None, 20)
            yield shop
        finally:
            shop.close()


def browser(shop: LiveShop, *roles: str) -> TestClient:
    """A browser that is signed in by the key of `anna`, who has these roles."""
    key, kept = new_key("anna", roles)
    app = create_console({shop.name: shop}, Access(keys=KeyRing([kept])))
    client = TestClient(app, base_url=ORIGIN)
    token = form_token(client.get("/console/~/sign-in").text)
    answer = client.post("/console/~/sign-in", data={"csrf": token, "key": key})
    assert answer.status_code == 200
    return client
