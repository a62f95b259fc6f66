"""Several categories in a cell, and the levels of each."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.readers.categories import category_paths, deepest
from recommender.readers.sources import CatalogueColumns, CatalogueSource
from tests.readers.shop_folder import Folder


@pytest.mark.parametrize(
    ("cells", "paths"),
    [
        (
            ["Pans > Iron, Gifts > Under 20, Sale", "Pans > Iron", "Pots, Sale", "Pots"],
            ["Pans > Iron\nGifts > Under 20\nSale", "Pans > Iron", "Pots\nSale", "Pots"],
        ),
        (["Men > Hats, Men > Sale, New"], ["Men > Hats\nMen > Sale\nNew"]),
        (
            ["Default/Men,Default/Men/Shirts", "Default/Bed\\/Bath,Default/Sale"],
            ["Default > Men\nDefault > Men > Shirts", "Default > Bed/Bath\nDefault > Sale"],
        ),
        (["Home>Pans|Sale", "Home>Pans", "Sale"], ["Home > Pans\nSale", "Home > Pans", "Sale"]),
        (["Damen; Angebote", "Damen", "Angebote"], ["Damen\nAngebote", "Damen", "Angebote"]),
        (["12|15", "12", "15|16", "16"], ["12\n15", "12", "15\n16", "16"]),
        (["Kitchen -> Pans", "Kitchen » Pans"], ["Kitchen > Pans", "Kitchen > Pans"]),
        (["A > B\nSale\nA > B", ""], ["A > B\nSale", ""]),
    ],
)
def test_separators_are_found_from_the_cells(cells: list[str], paths: list[str]) -> None:
    assert category_paths(cells, "", "") == paths


@pytest.mark.parametrize(
    "cells",
    [
        ["Food, Beverages & Tobacco > Food > Grains, Rice & Cereal > Rice", "Apparel"],
        ["Food, Beverages & Tobacco > Drinks", "Food, Beverages & Tobacco > Food", "Food"],
        ["Clothing, Shoes & Jewelry > Men", "Clothing, Shoes & Jewelry > Women"],
        ["Hats, Scarves & Gloves", "Hats", "Tops, Tees & Blouses", "A/B > C/D"],
    ],
)
def test_a_comma_within_a_name_separates_nothing(cells: list[str]) -> None:
    assert category_paths(cells, "", "") == cells


def test_what_is_set_is_not_guessed() -> None:
    assert category_paths(["A, B; C"], ";", "") == ["A, B\nC"]
    assert category_paths(["A, B; C"], ",", "/") == ["A\nB; C"]
    assert category_paths(["A\\, B, C"], ",", "") == ["A, B\nC"]


def test_the_deepest_path_is_the_items_own() -> None:
    assert deepest("Sale\nMen > Hats\nMen > Caps") == ("Men > Hats", "Sale\nMen > Caps")
    assert deepest("Sale\nNew") == ("Sale", "New")
    assert deepest("Sale") == ("Sale", "")


def read(folder: Folder, name: str, category: str = "category") -> dict[str, tuple[str, str]]:
    columns = CatalogueColumns(category=category)
    items = folder.read(CatalogueSource(name, columns=columns)).catalogue
    return {
        item: (items.category[row], items.other_categories[row])
        for row, item in enumerate(items.ids)
    }


def test_categories_of_further_rows_are_added(folder: Folder) -> None:
    rows = "a,A,Men > Hats\na,A,Sale\na,A,Men > Hats\nb,B,\nb,B,Sale\n"
    folder.put("c.csv", f"item_id,title,category\n{rows}")
    assert read(folder, "c.csv") == {"a": ("Men > Hats", "Sale"), "b": ("Sale", "")}
    last = CatalogueSource("c.csv", repeated="last")
    assert folder.read(last).catalogue.other_categories == ("", "")


def test_a_variant_has_all_categories_of_its_product(folder: Folder) -> None:
    rows = 'a,A,,"Men > Hats, Men > Sale"\na-1,A,a,\na-2,A,a,New\n'
    folder.put("c.csv", f"item_id,title,group,category\n{rows}")
    assert read(folder, "c.csv") == {
        "a": ("Men > Hats", "Men > Sale"),
        "a-1": ("Men > Hats", "Men > Sale"),
        "a-2": ("New", ""),
    }


@pytest.mark.parametrize("category", ["category", "in[].name"])
def test_lists_of_categories(folder: Folder, category: str) -> None:
    records = [
        {"item_id": each, "title": each, "category": names, "in": [{"name": n} for n in names]}
        for each, names in (("a", ["Men > Hats", "Sale"]), ("b", []), ("c", ["Sale"]))
    ]
    expected = {"a": ("Men > Hats", "Sale"), "b": ("", ""), "c": ("Sale", "")}
    folder.put("c.json", json.dumps(records))
    assert read(folder, "c.json", category) == expected
    if category == "category":
        table = pa.Table.from_pylist([record | {"in": None} for record in records])
        pq.write_table(table.drop_columns("in"), folder.path / "c.parquet")
        assert read(folder, "c.parquet") == expected


def test_repeated_elements_of_a_feed(folder: Folder) -> None:
    folder.put(
        "c.xml",
        "<rss><item><item_id>a</item_id><title>A</title><product_type>Men &gt; Hats</product_type>"
        "<product_type>Sale</product_type></item></rss>",
    )
    assert read(folder, "c.xml", "product_type") == {"a": ("Men > Hats", "Sale")}


def test_items_in_several_categories_are_counted(folder: Folder) -> None:
    folder.put("c.csv", 'item_id,title,category\na,A,"Hats, Sale"\nb,B,Hats\nc,C,Sale\n')
    assert folder.read("c.csv").report.in_several_categories == 1
