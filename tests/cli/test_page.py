"""`recommender related --page`, `--bundle` and `--event`, from a shop's files to the terminal."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from recommender.cli.main import run
from recommender.cli.session import store_url
from recommender.serving.lookup import RelatedItems
from recommender.settings.loading import load
from tests.cli.shop import failed, said
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b", "c"), ("a", "b"), ("d", "a"), ("d", "e"), ("e", "c")] * 4
CATALOGUE = """item_id,title,title_de,category,price,in_stock
a,Steel kettle,Stahlkessel,Kitchen > Tea,20,true
b,Tea pot,Teekanne,Kitchen > Tea,10,true
c,Tea cup,,Kitchen > Cups,5,true
d,Blue lamp,Blaue Lampe,Lights,50,true
e,Red lamp,Rote Lampe,Lights,40,true
new1,Green lamp,Grüne Lampe,Lights,45,true
new2,Tea tray,Tablett,Kitchen > Tea,15,true
new3,Sold tray,Tablett 2,Kitchen > Tea,15,false
new4,Barred tray,Tablett 3,Kitchen > Tea,15,true
"""
PLACEMENT = """
[[recipe.placements]]
name = "{name}"
fusion = "gated"
candidates = ["nearest", "co-occurrence"]
ranker = "identity"
"""
SETTINGS = """
shop = "acme"
[catalogue]
path = "catalogue.csv"
[catalogue.columns]
titles = { de = "title_de" }
[interactions]
path = "orders.csv"
[merchandising]
rules = "rules.yaml"
[storefront]
language = "en"
kinds = { view = 1.0, cart = 2.0 }
[placements.related]
heading = { en = "You may also like", de = "Das passt dazu" }
explore = 0.5
[recipe]
content.text = { use = "hashing", dimensions = 32 }
[recipe.interactions]
behaviour = { use = "co-occurrence-svd", dimensions = 4 }
""" + "".join(PLACEMENT.format(name=name) for name in ("related", "bought_together"))
RULES = """
rules:
- { name: barred, exclude: new4, lists_of: { category: Lights } }
bundles: { discount: 10%, min_score: 0.3, categories: { Kitchen > Tea: 20% } }
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with headings, titles in German and terms of bundles, of which a build is live."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "rules.yaml").write_text(RULES)
    path = write_shop(folder, orders(*BASKETS), settings=SETTINGS)
    (folder / "catalogue.csv").write_text(CATALOGUE)
    assert run(["reindex", "--config", str(path)]) == 0
    return path


@contextmanager
def lookup_of(config: Path) -> Iterator[RelatedItems]:
    settings = load(config)
    with store_url(settings) as url:
        reader = RelatedItems(url, settings.shop, deadline_s=5.0)
        assert reader.wait_ready()
        yield reader
        reader.close()


class TestPage:
    def test_each_placement_has_its_heading_and_titles(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        where = ["--config", str(config)]
        shown = said(["related", "a", "--page", "related", "bought_together", *where], capsys)
        assert "You may also like  (" in shown
        assert "bought_together  (" in shown
        assert "Tea pot" in shown
        german = said(["related", "a", "--page", "related", "--language", "de-AT", *where], capsys)
        assert "Das passt dazu" in german
        assert "Teekanne" in german
        assert "Tea cup" in german

    def test_as_json_no_item_is_there_twice(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        where = ["--json", "--config", str(config)]
        page = json.loads(
            said(["related", "a", "--page", "bought_together", "related", *where], capsys)
        )
        ids = [entry["id"] for one in page["lists"] for entry in one["items"]]
        assert len(ids) == len(set(ids)) > 0
        assert [one["heading"] for one in page["lists"]] == ["", "You may also like"]

    @pytest.mark.parametrize(
        ("arguments", "code", "reason"),
        [
            (["a", "--page", "nothing"], 3, "the recipe has related, bought_together"),
            (["nobody", "--page", "related"], 4, "is in no list of the live generation"),
            (["a", "b", "--page", "related"], 2, "name one item"),
            (["a", "--bundle", "--page", "related"], 2, "ask for one of them"),
            ([], 2, "name items, or else events"),
            (["a", "--event", "a", "view", "1"], 2, "name items, or else events"),
            (["--event", "a", "view", "new"], 2, "give a number of seconds"),
            (["a", "--page", "related", "--where", "price ="], 2, "--where or --boost"),
        ],
    )
    def test_what_cannot_be_shown_is_said_in_one_line(
        self,
        config: Path,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        code: int,
        reason: str,
    ) -> None:
        assert reason in failed(capsys, ["related", *arguments, "--config", str(config)], code)


class TestBundle:
    def test_a_bundle_has_its_price_and_discount(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shown = said(["related", "a", "--bundle", "--config", str(config)], capsys)
        assert "Steel kettle" in shown
        assert "Together: 35.00 - 20% = 28.00" in shown
        plain: dict[str, Any] = json.loads(
            said(["related", "a", "--bundle", "--json", "--config", str(config)], capsys)
        )
        assert plain["items"][0] == "a"
        assert set(plain["items"]) == {"a", "b", "c"}
        assert (plain["full_price_minor"], plain["price_minor"]) == (3500, 2800)

    def test_where_there_is_none_the_reason_is_said(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shown = said(["related", "nobody", "--bundle", "--config", str(config)], capsys)
        assert "No bundle: bought_together: unknown item." in shown


class TestSession:
    def test_events_are_weighed(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        where = ["--json", "--config", str(config)]
        events = ["--event", "a", "cart", "5", "--event", "d", "view", "60"]
        answer = json.loads(said(["related", *events, *where], capsys))
        assert answer["items"]
        assert {"a", "d"}.isdisjoint(entry["id"] for entry in answer["items"])


def test_new_items_take_positions_of_the_placement_that_explores(config: Path) -> None:
    """Neither the item that is sold out, nor the one that a rule excludes somewhere."""
    with lookup_of(config) as reader:
        found = {
            item
            for number in range(40)
            for item in reader.get("a", "related", n=2, key=f"k{number}").explored
        }
        assert found == {"new2"}
        assert reader.get("a", "bought_together", key="k").explored == ()


def test_a_heading_that_changes_is_published_with_the_same_lists(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(config), "--set", "placements.bought_together.heading=Together"]
    capsys.readouterr()
    assert run(["reindex", *where]) == 0
    assert run(["reindex", *where]) == 0
    assert "nothing" in capsys.readouterr().out.lower()
    with lookup_of(config) as reader:
        (page,) = reader.page("a", ["bought_together"])
        assert (page.heading, page.generation) == ("Together", 2)


def test_a_shop_that_says_nothing_of_pages_publishes_no_storefront(tmp_path: Path) -> None:
    path = write_shop(tmp_path, orders(*BASKETS[:6]))
    assert load(path).job().storefront == {}
