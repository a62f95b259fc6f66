"""What the published lists hold of shops whose exports once gave wrong lists in silence."""

import re
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.support.shop_files import SETTINGS

BASKETS = (("P1", "P2", "P3"), ("P2", "P3", "P4"), ("P1", "P4"), ("P5", "P6"), ("P5", "P1"))
PRODUCTS = {f"P{number}": f"Product {number}" for number in range(1, 7)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "recommender.toml"
    table = '[catalogue]\npath = "products.csv"\ncolumns = { item = "sku", title = "name" }\n'
    path.write_text(SETTINGS + table)
    rows = [f"{n},u{n},{item}\n" for n, basket in enumerate(BASKETS * 3) for item in basket]
    (tmp_path / "orders.csv").write_text("order_id,user_id,item_id\n" + "".join(rows))
    return path


def write(config: Path, titles: dict[str, str], **columns: dict[str, str]) -> None:
    """Write the catalogue: titles and further columns by item."""
    lines = [",".join(["sku", "name", *columns])]
    lines += [
        ",".join([item, title, *(f'"{column.get(item, "")}"' for column in columns.values())])
        for item, title in titles.items()
    ]
    (config.parent / "products.csv").write_text("\n".join(lines) + "\n")


def lists(config: Path) -> dict[str, list[str]]:
    """The published list of each item."""
    out = config.parent / "lists.csv"
    assert run(["export", "lists", "--config", str(config), "--out", str(out)]) == 0
    found: dict[str, list[str]] = {}
    for line in out.read_text().splitlines()[1:]:
        _, item, _, related, *_ = line.split(",")
        found.setdefault(item, []).append(related)
    return found


def reindex(config: Path) -> int:
    return run(["reindex", "--config", str(config)])


def test_deleted_products_leave_all_lists(config: Path) -> None:
    write(config, PRODUCTS)
    assert reindex(config) == 0
    assert "P3" in lists(config)["P2"]
    write(config, {item: title for item, title in PRODUCTS.items() if item != "P3"})
    assert reindex(config) == 0
    found = lists(config)
    assert not any("P3" in each for each in found.values())
    assert found["P3"]


def test_drafts_are_in_no_list(config: Path) -> None:
    write(config, PRODUCTS, Published={"P1": "1", "P2": "1", "P3": "-1", "P4": "0", "P5": "1"})
    assert reindex(config) == 0
    shown = {item for each in lists(config).values() for item in each}
    assert shown == {"P1", "P2", "P5", "P6"}


def test_items_of_one_title_do_not_fill_a_list(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(config, PRODUCTS | dict.fromkeys(("P3", "P4", "P6"), "Chef knife"))
    capsys.readouterr()
    assert reindex(config) == 0
    assert "left out of lists that have the same title already" in capsys.readouterr().out
    knives = [len({"P3", "P4", "P6"} & set(each)) for each in lists(config).values()]
    assert max(knives) == 1


def test_ids_that_no_longer_meet_keep_the_lists_of_the_day_before(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(config, PRODUCTS)
    assert reindex(config) == 0
    before = lists(config)
    orders = config.parent / "orders.csv"
    orders.write_text(re.sub(r"P\d", r"\g<0>.0", orders.read_text()))
    capsys.readouterr()
    assert reindex(config) == 4
    assert "ids = { strip_suffix = '.0' }" in capsys.readouterr().err
    assert lists(config) == before


def test_items_that_share_one_of_several_categories_stand_together(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config.read_text().replace('"name"', '"name", category = "department"')
    same = 'ranker = "identity"\nfilters = ["same-category"]'
    config.write_text(settings.replace('ranker = "identity"', same))
    categories = {
        "P1": "Kitchen > Basics, Sale",
        "P2": "Kitchen > Basics, Gifts > Under 20, Sale",
        "P3": "Kitchen > Basics",
        "P4": "Garden > Basics",
        "P5": "Garden > Basics, Gifts > Under 20",
    }
    write(config, PRODUCTS, department=categories)
    capsys.readouterr()
    assert reindex(config) == 0
    assert "3 in several categories" in capsys.readouterr().out
    found = {item: set(each) for item, each in lists(config).items()}
    assert found == {
        "P1": {"P2", "P3"},
        "P2": {"P1", "P3", "P5"},
        "P3": {"P1", "P2"},
        "P4": {"P5"},
        "P5": {"P2", "P4"},
    }
