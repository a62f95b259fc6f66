"""A shop of the console with a rule file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.cli.main import run
from recommender.console.live_shop import LiveShop
from recommender.publishing.embedded import Embedded
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "<b>c"), ("a", "b"), ("b", "<b>c", "d"), ("e", "a"), ("f", "b", "e")] * 3
RULES = '# ours\nrules:\n- {name: "<i>first", exclude: f, lists_of: a}   # for now\n'


@contextmanager
def steered(folder: Path) -> Iterator[LiveShop]:
    """One generation is live, and the rule file has `RULES`."""
    config = write_shop(folder, orders(*BASKETS))
    assert run(["reindex", "--config", str(config)]) == 0
    (folder / "rules.yaml").write_text(RULES)
    with config.open("a") as file:
        file.write('[merchandising]\nrules = "rules.yaml"\n')
    settings = load(config)
    with Embedded(settings.state.folder).attach() as url:
        shop = LiveShop(settings, url, poll_s=0.05)
        try:
            assert shop.wait(lambda seen: seen.loaded is not None, 20)
            yield shop
        finally:
            shop.close()
