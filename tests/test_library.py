"""The engine as a library: frames in, frames and published lists out."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import recommender
from recommender import Shop
from recommender.cli.main import run
from recommender.core.redaction import redacted
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.library import COLUMNS, BuiltShop
from recommender.publishing.embedded import Embedded
from recommender.serving.lookup import RelatedItems
from tests.support.repository import REPOSITORY
from tests.support.shop_files import SMALL_SHOP

DOCS = REPOSITORY / "docs"
HASHING = "recipe.content.text=hashing"
QUICK = ("quick", HASHING, "state.user_key=0123456789abcdef")


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The generated shop, in which an item has the id NA."""
    names = ("catalogue.csv", "orders.csv")
    items, events = (
        pd.read_csv(SMALL_SHOP / name, dtype=str, keep_default_na=False) for name in names
    )
    return items, events


def few() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three items that are bought together; the ids are numbers."""
    items = pd.DataFrame({"item_id": [1, 2, 3], "title": ["Tea", "Cup", "Pot"], "price": 2.5})
    sold = [(order, item) for order in (7.0, 8.0, 9.0) for item in (1, 2, 3)]
    return items, pd.DataFrame(sold, columns=["order_id", "item_id"])


@pytest.fixture(scope="module")
def built() -> BuiltShop:
    return Shop.from_frames(*frames(), name="acme").build(*QUICK)


def test_lists_are_those_of_files(built: BuiltShop, tmp_path: Path) -> None:
    config = tmp_path / "recommender.toml"
    config.write_text(
        f'shop = "acme"\nrecipe = "quick"\n[catalogue]\npath = "{SMALL_SHOP / "catalogue.csv"}"\n'
        f'[interactions]\npath = "{SMALL_SHOP / "orders.csv"}"\n'
    )
    where = ["--config", str(config), "--set", HASHING]
    out = tmp_path / "lists.parquet"
    assert run(["reindex", *where]) == 0
    assert run(["export", "lists", "--out", str(out), *where]) == 0
    of_files = pd.read_parquet(out)[list(COLUMNS)]
    lists = built.lists()
    assert tuple(lists.columns) == COLUMNS
    assert len(lists) > 3000
    pd.testing.assert_frame_equal(lists, of_files)


def test_related_are_the_rows_of_one_list(built: BuiltShop) -> None:
    lists = built.lists()
    whole = lists[lists["item"] == "20037"].reset_index(drop=True)
    shown = built.related(20037, 5)
    pd.testing.assert_frame_equal(shown, whole.head(5), check_dtype=False)
    assert shown["rank"].tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(DataError, match="item '7' is not in the catalogue"):
        built.related("7")
    with pytest.raises(ConfigError, match="placement 'nxt': there are related"):
        built.related("20037", placement="nxt")


def test_rows_are_accounted_for_by_frame(built: BuiltShop) -> None:
    kept = {file["name"]: (file["rows"], file["kept"]) for file in built.report["files"]}
    assert kept == {"catalogue": (300, 300), "interactions": (4630, 4630)}


def test_columns_of_other_names(tmp_path: Path) -> None:
    items, sold = few()
    plain = Shop.from_frames(items, sold, folder=tmp_path).build(*QUICK)
    renamed = Shop.from_frames(
        items.rename(columns={"item_id": "sku", "title": "name"}),
        sold.assign(what="buy").rename(columns={"item_id": "product", "order_id": "number"}),
        folder=tmp_path,
        weights={"buy": 1.0},
        item=("sku", "product"),
        title=["name"],
        basket="number",
        kind="what",
    )
    pd.testing.assert_frame_equal(renamed.build(*QUICK).lists(), plain.lists())
    assert sorted(plain.related(1)["title"]) == ["Cup", "Pot"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"category": "categry"},
            r"catalogue has no column 'categry' \(catalogue.columns.category\); "
            "did you mean 'category'",
        ),
        ({"basket": "orderid"}, "interactions has no column 'orderid' .* did you mean 'order_id'"),
        ({"item": ("item_id", "sku")}, r"interactions has no column 'sku' \(interactions.columns"),
        ({"baskets": "order_id"}, "unknown field 'baskets'; did you mean 'basket'"),
        ({"item": ""}, "name the column of the item ids"),
        ({"weights": {"view": -1.0}}, "weights.view"),
        ({"name": "a b"}, "a b"),
    ],
)
def test_a_mistake_is_named_before_anything_is_built(columns: dict[str, Any], message: str) -> None:
    catalogue, orders = frames()
    with pytest.raises(ConfigError, match=message):
        Shop.from_frames(catalogue.head(), orders.head(), **columns)


def test_messages_of_a_build_name_the_frame() -> None:
    items, sold = few()
    shop = Shop.from_frames(items.assign(item_id=[1.5, 2.0, 3.0]), sold)
    with pytest.raises(DataError, match=r"^catalogue: column 'item_id' holds ids as double"):
        shop.build(*QUICK)


def test_a_folder_keeps_builds_and_the_frames_are_removed(tmp_path: Path) -> None:
    shop = Shop.from_frames(*few(), folder=tmp_path)
    built = shop.build(*QUICK)
    frame_folder = Path(shop.tables["catalogue"]["path"]).parent
    assert any(not cost.reused for cost in built.job.stopwatch.costs[1:])
    again = Shop.from_frames(*few(), folder=tmp_path).build(*QUICK)
    assert {cost.stage for cost in again.job.stopwatch.costs if not cost.reused} <= {"check inputs"}
    assert frame_folder.is_dir()
    assert frame_folder.stat().st_mode & 0o077 == 0
    del shop, built
    assert not frame_folder.exists()
    assert any((tmp_path / "artifacts").rglob("*"))


def test_a_store_that_is_away_is_named_without_its_password(
    built: BuiltShop, refused_port: int
) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        built.publish(f"redis://:s3cret-word@127.0.0.1:{refused_port}/0")
    assert "s3cret-word" not in str(caught.value)
    assert redacted("s3cret-word") == "***"


def test_importing_the_package_stays_cheap() -> None:
    code = (
        "import sys, recommender\n"
        "assert not {'pandas', 'numpy', 'pyarrow'} & sys.modules.keys()\n"
        "sys.modules['pandas'] = None\n"
        "try: recommender.Shop\n"
        "except recommender.errors.MissingExtra as error: print(error)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'recommender[build]'" in shown.stdout
    with pytest.raises(AttributeError, match="no attribute 'Shp'"):
        _ = recommender.Shp  # type: ignore[attr-defined]


def examples(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(SMALL_SHOP)
    names: dict[str, Any] = {}
    with Embedded(tmp_path).attach() as url:
        for code in examples(DOCS / "library.md"):
            exec(code.replace("redis://localhost:6379/0", url), names)
        built: BuiltShop = names["built"]
        again = built.publish(url)
        lookup = RelatedItems(url, "acme", deadline_s=5.0)
        answer = lookup.get("20037")
        lookup.close()
    assert again.id == answer.generation == 1
    assert list(answer.ids)[:5] == built.related("20037", 5)["related"].tolist()
    assert "20037" in capsys.readouterr().out
    figures = names["figures"]
    assert figures.index[0] == "related"
    assert {"best sellers", "EASE"} <= set(figures.index)
    ours = figures.loc["related"]
    assert ours["ndcg_low"] < ours["ndcg"] < ours["ndcg_high"]
    assert "the bar" in figures.attrs["verdict"]


def test_the_notebook_runs_and_prints_lists(tmp_path: Path) -> None:
    notebook = DOCS / "notebooks" / "your_shop.ipynb"
    out = tmp_path / "out.ipynb"
    code = (
        "import sys, nbformat\n"
        "from nbclient import NotebookClient\n"
        "notebook = nbformat.read(sys.argv[1], as_version=4)\n"
        "NotebookClient(\n"
        "    notebook, timeout=120, resources={'metadata': {'path': sys.argv[3]}}\n"
        ").execute()\n"
        "nbformat.write(notebook, sys.argv[2])\n"
    )
    command = [sys.executable, "-c", code, *map(str, (notebook, out, DOCS / "notebooks"))]
    kept = {**os.environ, "TMPDIR": str(tmp_path)}  # a kernel that is killed leaves its frames
    subprocess.run(command, check=True, env=kept)
    cells = json.loads(out.read_text())["cells"]
    shown = [str(each) for cell in cells for each in cell.get("outputs", ())]
    assert any("evidence" in each and "behaviour" in each for each in shown)
