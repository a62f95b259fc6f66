import numpy as np
import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.sources import CatalogueColumns, CatalogueSource, InteractionSource
from tests.readers.shop_folder import Desk, sold


def mapped(path: str, **columns: object) -> CatalogueSource:
    return CatalogueSource(path, columns=CatalogueColumns(**columns))  # type: ignore[arg-type]


def test_columns_are_found_by_their_own_names(desk: Desk) -> None:
    desk.put(
        "c.csv",
        "item_id,title,description,brand,category,price,group,in_stock,available_from,colour\n"
        "b,Bee,Buzzes,Hive,Garden > Insects,2.50,g,no,2010-12-01,yellow\n"
        "a,Ant,,,,,,,,\n",
    )
    catalogue = desk.read("c.csv").catalogue
    assert catalogue.ids.ids == ("a", "b")
    assert catalogue.title == ("Ant", "Bee")
    assert catalogue.description == ("", "Buzzes")
    assert catalogue.brand == ("", "Hive")
    assert catalogue.category == ("", "Garden > Insects")
    assert catalogue.group == ("", "g")
    assert np.isnan(catalogue.price[0])
    assert catalogue.price.dtype == np.float32
    assert catalogue.price[1] == 2.5
    assert catalogue.in_stock.tolist() == [True, False]
    assert catalogue.available_from.tolist() == [0, 1_291_161_600]
    assert catalogue.attributes == {}


def test_an_item_and_a_title_are_enough(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\na,Ant\n")
    data = desk.read("c.csv")
    assert data.catalogue.description == ("",)
    assert data.catalogue.in_stock.tolist() == [True]
    assert data.catalogue.available_from.tolist() == [0]
    assert (data.report.n_items, data.report.cold_items, data.report.n_interactions) == (1, 1, 0)


def test_a_missing_title_is_asked_for_and_may_be_declined(desk: Desk) -> None:
    desk.put("c.csv", "item_id,name\na,Ant\n")
    with pytest.raises(
        ConfigError, match=r"c\.csv has no column 'title' \(catalogue\.columns\.tit"
    ):
        desk.read("c.csv")
    assert desk.read(mapped("c.csv", title="")).catalogue.title == ("",)


def test_columns_may_be_named_joined_and_switched_off(desk: Desk) -> None:
    desk.put(
        "c.csv",
        "sku,name,size,top,sub,brand,colour\na,Shirt,XL,Clothes,,Acme,red\nb,,M,,Tops,Acme,\n",
    )
    source = mapped(
        "c.csv",
        item="sku",
        title=("name", "size"),
        category=("top", "sub"),
        brand="",
        attributes=("colour", "size"),
    )
    catalogue = desk.read(source).catalogue
    assert catalogue.title == ("Shirt XL", "M")
    assert catalogue.category == ("Clothes", "Tops")
    assert catalogue.brand == ("", "")
    assert catalogue.attributes == {"colour": ("red", ""), "size": ("XL", "M")}
    joined = mapped("c.csv", item="sku", title="", category=("top", "brand"))
    assert desk.read(joined).catalogue.category == ("Clothes > Acme", "Acme")


@pytest.mark.parametrize(
    "field",
    ["title", "description", "brand", "category", "price", "group", "in_stock", "available_from"],
)
def test_a_column_that_the_file_lacks_is_named(desk: Desk, field: str) -> None:
    desk.put("c.csv", "item_id,title\na,Ant\n")
    with pytest.raises(ConfigError, match=rf"no column 'x' \(catalogue\.columns\.{field}\)"):
        desk.read(mapped("c.csv", **{field: "x"}))


def test_attributes_and_parts_must_be_there(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\na,Ant\n")
    with pytest.raises(ConfigError, match=r"no column 'x' \(catalogue\.columns\.attributes\)"):
        desk.read(mapped("c.csv", attributes=("x",)))
    with pytest.raises(ConfigError, match=r"no column 'x' \(catalogue\.columns\.title\)"):
        desk.read(mapped("c.csv", title=("title", "x")))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("item_id", "", "item id: empty"),
        ("group", "g\0", "group: a control character in it"),
        ("group", "g" * 129, "group: longer than 128 bytes"),
        ("price", "free", "price is not a number"),
        ("price", "nan", "price is not a number"),
        ("price", "1e39", "price is not a number"),
        ("in_stock", "maybe", "in_stock is neither true nor false"),
        ("available_from", "soon", "available_from is not an ISO 8601 time"),
    ],
)
def test_a_bad_row_is_refused_alone(desk: Desk, column: str, value: str, reason: str) -> None:
    row = {"item_id": "b", "group": "", "price": "", "in_stock": "", "available_from": ""}
    row |= {column: value}
    desk.put("c.csv", f"{','.join(row)},title\na,,,,,Ant\n{','.join(row.values())},Bee\n")
    data = desk.read("c.csv")
    assert data.catalogue.ids.ids == ("a",)
    (refused,) = desk.refused()
    assert (refused["line"], refused["reason"], refused["column"]) == (3, reason, column)
    assert refused["value"] == value[:100]
    assert data.report.files[0].refused == {reason: 1}


def test_of_rows_with_one_id_the_last_counts(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title,price\na,Old,1\nb,Bee,2\na,Newer,3\n")
    desk.put("d.csv", "item_id,title,price\na,Newest,4\na,Bad,x\nA,Other,5\n")
    data = desk.read(CatalogueSource(("c.csv", "d.csv")))
    assert data.catalogue.ids.ids == ("A", "a", "b")
    assert data.catalogue.title == ("Other", "Newest", "Bee")
    assert data.catalogue.price.tolist() == [5.0, 4.0, 2.0]
    assert data.report.duplicate_ids == 2


def test_files_of_one_source_may_differ_in_their_optional_columns(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title,brand\na,Ant,Acme\n")
    desk.put("d.jsonl", '{"title": "Bee", "item_id": "b", "price": 2}\n')
    catalogue = desk.read(CatalogueSource(("c.csv", "d.jsonl"))).catalogue
    assert catalogue.brand == ("Acme", "")
    assert catalogue.price[1] == 2


def test_items_that_are_sold_but_not_in_the_catalogue_have_no_texts(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\nb,Bee\nz,Zebra\n")
    desk.put("a.csv", "item_id,order_id,title\na,1,Ant\nb,1,Wrong\n")
    data = desk.read("c.csv", "a.csv")
    assert data.catalogue.ids.ids == ("a", "b", "z")
    assert data.catalogue.title == ("", "Bee", "Zebra")
    assert sold(data) == ["a", "b"]
    assert data.report.absent_from_catalogue == 1
    assert data.report.cold_items == 1


def test_the_scope_may_be_the_items_with_interactions(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\nb,Bee\nv,Viewed\nz,Zebra\n")
    desk.put("a.csv", "item_id,order_id,kind\na,1,purchase\nb,1,purchase\nv,1,view\n")
    weights = {"purchase": 1.0, "view": 0.0}
    events = InteractionSource("a.csv", weights=weights)
    data = desk.read(CatalogueSource("c.csv", scope="with_interactions"), events)
    assert data.catalogue.ids.ids == ("a", "b")
    assert sold(data) == ["a", "b"]
    assert data.report.n_interactions == 2
    assert data.report.out_of_scope == 2
    assert data.report.cold_items == 0
    whole = desk.read("c.csv", events).report
    assert (whole.n_items, whole.cold_items, whole.out_of_scope) == (4, 2, 0)


def test_a_scope_without_any_interaction_has_no_items(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\nb,Bee\n")
    with pytest.raises(DataError, match="no items: no row of the interactions was kept"):
        desk.read(CatalogueSource("c.csv", scope="with_interactions"))


@pytest.mark.parametrize("content", ["item_id,title\n", "item_id,title\n,x\n"])
def test_a_catalogue_without_items_stops_the_run(desk: Desk, content: str) -> None:
    desk.put("c.csv", content)
    desk.put("a.csv", "item_id,order_id\na,1\n")
    with pytest.raises(DataError, match=r"c\.csv: no items; deliver the catalogue again"):
        desk.read("c.csv", "a.csv")


def test_interactions_without_rows_are_allowed_beside_a_catalogue(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\na,Ant\n")
    desk.put("a.csv", "item_id,order_id\n")
    data = desk.read("c.csv", "a.csv")
    assert len(data.interactions) == 0
    assert data.interactions.n_items == 1
    assert data.interactions.kinds == ("purchase",)
    with pytest.raises(DataError, match="no items"):
        desk.read(interactions="a.csv")


def test_texts_are_clean_and_those_that_were_cut_are_counted(desk: Desk) -> None:
    long = "word " * 1_000
    desk.put(
        "c.csv",
        f'item_id,title,description,category\na,<b>Ant</b>&nbsp;&amp; Co,"{long}",Home &gt; Ant\n'
        f"b,{'x' * 2_000},{'<b></b>' * 100},{'y' * 1_999}  \n",
    )
    data = desk.read("c.csv")
    assert data.catalogue.title[0] == "Ant & Co"
    assert data.catalogue.category[0] == "Home > Ant"
    assert len(data.catalogue.description[0]) <= 2_000
    assert data.report.shortened == 1


def test_a_text_that_lost_its_end_to_mark_up_was_cut(desk: Desk) -> None:
    desk.put("c.csv", f"item_id,title\na,{'<i></i> ' * 1_100}end\nb,{'<i></i> ' * 900}end\n")
    data = desk.read("c.csv")
    assert data.catalogue.title == ("", "end")
    assert data.report.shortened == 1


def test_joined_texts_are_cut_too(desk: Desk) -> None:
    desk.put("c.csv", f"item_id,a,b\nx,{'y' * 1_500},{'z' * 1_500}\n")
    data = desk.read(mapped("c.csv", title=("a", "b")))
    assert len(data.catalogue.title[0]) == 2_000
    assert data.report.shortened == 1


def test_available_from_has_the_zone_and_format_of_the_source(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title,available_from\na,Ant,1/07/2011 12:00\n")
    source = CatalogueSource("c.csv", time_zone="Europe/London", time_format="%d/%m/%Y %H:%M")
    assert desk.read(source).catalogue.available_from.tolist() == [1_309_518_000]
