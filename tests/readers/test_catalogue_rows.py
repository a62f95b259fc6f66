import numpy as np
import pytest

from recommender.errors import DataError
from recommender.readers.catalogue_rows import CONTINUED
from recommender.readers.sources import CatalogueColumns, CatalogueSource, Match
from tests.readers.shop_folder import Folder


def stock(folder: Folder, source: CatalogueSource | str = "c.csv") -> dict[str, bool]:
    catalogue = folder.read(source).catalogue
    return dict(zip(catalogue.ids, catalogue.in_stock.tolist(), strict=True))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("group", "g\0", "group: a control character in it"),
        ("group", "g" * 129, "group: longer than 128 bytes"),
        ("price", "free", "price is not a number"),
        ("price", "1e39", "price is not a number"),
        ("in_stock", "maybe", "in_stock is neither true nor false"),
        ("available_from", "soon", "available_from is not an ISO 8601 time"),
    ],
)
def test_a_bad_optional_value_costs_the_value_alone(
    folder: Folder, column: str, value: str, reason: str
) -> None:
    row = {"item_id": "b", "group": "", "price": "", "in_stock": "", "available_from": ""}
    row |= {column: value}
    folder.put("c.csv", f"{','.join(row)},title\na,,,,,Ant\n{','.join(row.values())},Bee\n")
    data = folder.read("c.csv")
    assert data.catalogue.ids.ids == ("a", "b")
    assert (data.catalogue.group[1], data.catalogue.in_stock.tolist()) == ("", [True, True])
    assert np.isnan(data.catalogue.price[1])
    assert data.catalogue.available_from[1] == 0
    assert folder.refused() == []
    (report,) = data.report.files
    assert report.noted == {f"{reason}: unknown": 1}
    (example,) = report.noted_examples
    assert (example.line, example.column, example.value) == (3, column, value[:100])


def test_texts_are_clean_and_those_that_were_cut_are_counted(folder: Folder) -> None:
    long = "word " * 1_000
    folder.put(
        "c.csv",
        f'item_id,title,description,category\na,<b>Ant</b>&nbsp;&amp; Co,"{long}",Home &gt; Ant\n'
        f"b,{'x' * 2_000},{'<b></b>' * 100},{'y' * 1_999}  \n",
    )
    data = folder.read("c.csv")
    assert data.catalogue.title[0] == "Ant & Co"
    assert data.catalogue.category[0] == "Home > Ant"
    assert len(data.catalogue.description[0]) <= 2_000
    assert data.report.shortened == 1


def test_a_text_that_lost_its_end_to_mark_up_was_cut(folder: Folder) -> None:
    folder.put("c.csv", f"item_id,title\na,{'<i></i> ' * 8_200}end\nb,{'<i></i> ' * 900}end\n")
    data = folder.read("c.csv")
    assert data.catalogue.title == ("", "end")
    assert data.report.shortened == 1


def test_joined_texts_are_cut_too(folder: Folder) -> None:
    folder.put("c.csv", f"item_id,a,b\nx,{'y' * 1_500},{'z' * 1_500}\n")
    data = folder.read(CatalogueSource("c.csv", columns=CatalogueColumns(title=("a", "b"))))
    assert len(data.catalogue.title[0]) == 2_000
    assert data.report.shortened == 1


def test_available_from_has_the_zone_and_format_of_the_source(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,available_from\na,Ant,1/07/2011 12:00\n")
    source = CatalogueSource("c.csv", time_zone="Europe/London", time_format="%d/%m/%Y %H:%M")
    assert folder.read(source).catalogue.available_from.tolist() == [1_309_518_000]


@pytest.mark.fault(79)
def test_drafts_and_private_items_are_not_for_sale(folder: Folder) -> None:
    folder.put(
        "c.csv",
        "item_id,title,Published,status,Visibility in catalog\na,A,1,,visible\nb,B,-1,,visible\n"
        "c,C,0,,visible\nd,D,1,Draft,visible\ne,E,1,active,hidden\nf,F,true,published,catalog\n",
    )
    shown = {"a": True, "b": False, "c": False, "d": False, "e": False, "f": True}
    assert stock(folder) == shown
    assert folder.read("c.csv").report.not_for_sale == 4


def test_the_words_and_columns_of_a_shop_say_what_is_for_sale(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,state,season\na,A,entwurf,1\nb,B,aktiv,1\nc,C,aktiv,old\n")
    columns = CatalogueColumns(status="state")
    source = CatalogueSource(
        "c.csv", columns=columns, not_for_sale=("Entwurf",), hidden=(Match("season", "old"),)
    )
    assert stock(folder, source) == {"a": False, "b": True, "c": False}


def test_a_disabled_product_of_magento_is_not_for_sale(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,product_online\na,A,1\nb,B,2\n")
    assert stock(folder) == {"a": True, "b": False}


def test_a_catalogue_without_an_item_for_sale_is_an_error(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,status\na,A,draft\nb,B,archived\n")
    with pytest.raises(DataError, match="none of the 2 items of the catalogue is for sale"):
        folder.read("c.csv")


def test_rows_that_do_not_match_a_filter_are_left_out(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,language\na,Ant,en\na,Ameise,de\nb,Biene,de\n")
    source = CatalogueSource("c.csv", only=(Match("language", "en"),))
    data = folder.read(source)
    assert data.catalogue.title == ("Ant",)
    assert data.report.files[0].left_out == {"language is not one of catalogue.only": 2}


def test_a_further_row_of_a_group_without_an_id_is_left_out(folder: Folder) -> None:
    folder.put("c.csv", "sku,handle,title\nA-S,a,Ant\n,a,\n,b,Bee\n")
    data = folder.read(CatalogueSource("c.csv", columns=CatalogueColumns("sku", group="handle")))
    (report,) = data.report.files
    assert report.left_out == {CONTINUED: 1}
    assert report.refused == {"item id: empty": 1}


def test_null_markers_are_no_values_but_may_be_ids(folder: Folder) -> None:
    folder.put(
        "c.csv",
        "item_id,title,brand,group,price,in_stock\na,Ant,NULL,NULL,NULL,\\N\nb,Bee,n/a,NULL,NaN,\n"
        "NULL,Null,Acme,,1,0\n",
    )
    data = folder.read("c.csv")
    assert data.catalogue.ids.ids == ("NULL", "a", "b")
    assert data.catalogue.group == ("", "", "")
    assert data.catalogue.brand == ("Acme", "", "")
    assert data.catalogue.in_stock.tolist() == [False, True, True]
    assert data.report.files[0].noted == {}


def test_stock_words_of_a_shop(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,in_stock\na,A,Lagernd\nb,B,vergriffen\nc,C,backorder\n")
    source = CatalogueSource("c.csv", stock_words={"lagernd": True, "Vergriffen": False})
    assert stock(folder, source) == {"a": True, "b": False, "c": True}


def test_prices_with_a_decimal_comma_and_a_currency(folder: Folder) -> None:
    folder.put("c.csv", 'item_id,title,price\na,A,"6,37"\nb,B,"1.234,50 EUR"\nc,C,1.299\n')
    assert folder.read("c.csv").catalogue.price.tolist() == pytest.approx([6.37, 1234.5, 1299])
    english = folder.read(CatalogueSource("c.csv", decimal=".")).catalogue.price
    assert english[2] == pytest.approx(1.299)


def test_the_first_of_several_categories_is_a_path(folder: Folder) -> None:
    folder.put(
        "c.csv",
        'item_id,title,category\na,A,"Kitchen > Basics, Gifts > Under 20, Sale"\n'
        'b,B,"Kitchen > Basics, Sale"\n',
    )
    source = CatalogueSource("c.csv", category_separator=",")
    assert folder.read(source).catalogue.category == ("Kitchen > Basics", "Kitchen > Basics")
    folder.put("m.csv", 'item_id,title,category\na,A,"Default/Kitchen,Default/Sale"\n')
    source = CatalogueSource("m.csv", category_separator=",", level_separator="/")
    assert folder.read(source).catalogue.category == ("Default > Kitchen",)
