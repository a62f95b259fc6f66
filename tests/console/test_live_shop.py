"""Following what is live: faults are named, and a new generation replaces the old one."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from recommender.cli.main import run
from recommender.console.live_shop import LiveShop, Seen
from recommender.publishing.embedded import Embedded
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop


def is_loaded(number: int, seen: Seen) -> bool:
    return seen.loaded is not None and seen.loaded.live.number == number


def test_another_generation_is_loaded_when_it_goes_live(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(("a", "b"), ("b", "c"), ("a", "b", "c")))
    settings = load(config, [])
    with Embedded(settings.state.folder).attach() as url:
        shop = LiveShop(settings, url, poll_s=0.02)
        assert shop.wait(lambda seen: "nothing is published" in seen.fault, 10)
        for number in (1, 2):
            assert run(["reindex", "--force", "--config", str(config)]) == 0
            assert shop.wait(partial(is_loaded, number), 20)
            assert not shop.seen().fault
        shop.close()


def test_a_store_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    settings = load(write_shop(tmp_path, orders(("a", "b"))), [])
    shop = LiveShop(settings, f"unix://{tmp_path}/none.sock", poll_s=0.02)
    assert shop.wait(lambda seen: bool(seen.fault), 10)
    assert shop.seen().loaded is None
    assert replace(shop.seen(), fault="").search_fault == ""
    shop.close()
