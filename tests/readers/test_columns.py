import numpy as np
import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.sources import (
    Cancelled,
    CatalogueColumns,
    CatalogueSource,
    InteractionColumns,
    InteractionSource,
)
from tests.readers.shop_folder import Folder, sold


def mapped(path: str, **columns: object) -> CatalogueSource:
    return CatalogueSource(path, columns=CatalogueColumns(**columns))  # type: ignore[arg-type]


def test_columns_are_found_by_their_own_names(folder: Folder) -> None:
    folder.put(
        "c.csv",
        "item_id,title,description,brand,category,price,group,in_stock,available_from,colour\n"
        "b,Bee,Buzzes,Hive,Garden > Insects,2.50,g,no,2010-12-01,yellow\n"
        "a,Ant,,,,,,,,\n",
    )
    catalogue = folder.read("c.csv").catalogue
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


def test_an_item_and_a_title_are_enough(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\n")
    data = folder.read("c.csv")
    assert data.catalogue.description == ("",)
    assert data.catalogue.in_stock.tolist() == [True]
    assert data.catalogue.available_from.tolist() == [0]
    assert (data.report.n_items, data.report.cold_items, data.report.n_interactions) == (1, 1, 0)


def test_a_missing_title_is_asked_for_and_may_be_declined(folder: Folder) -> None:
    folder.put("c.csv", "item_id,name\na,Ant\n")
    with pytest.raises(
        ConfigError, match=r"c\.csv has no column 'title' \(catalogue\.columns\.tit"
    ):
        folder.read("c.csv")
    assert folder.read(mapped("c.csv", title="")).catalogue.title == ("",)


def test_columns_may_be_named_joined_and_switched_off(folder: Folder) -> None:
    folder.put(
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
    catalogue = folder.read(source).catalogue
    assert catalogue.title == ("Shirt XL", "M")
    assert catalogue.category == ("Clothes", "Tops")
    assert catalogue.brand == ("", "")
    assert catalogue.attributes == {"colour": ("red", ""), "size": ("XL", "M")}
    joined = mapped("c.csv", item="sku", title="", category=("top", "brand"))
    assert folder.read(joined).catalogue.category == ("Clothes > Acme", "Acme")


@pytest.mark.parametrize(
    "field",
    ["title", "description", "brand", "category", "price", "group", "in_stock", "available_from"],
)
def test_a_column_that_a_catalogue_lacks_is_named(folder: Folder, field: str) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\n")
    with pytest.raises(ConfigError, match=rf"no column 'x' \(catalogue\.columns\.{field}\)"):
        folder.read(mapped("c.csv", **{field: "x"}))


def test_titles_in_other_languages_are_attributes_of_their_language(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,de,fr\na,Shirt,<b>Hemd</b>,\nb,Hat,,Chapeau\n")
    catalogue = folder.read(mapped("c.csv", titles={"de": "de", "fr": "fr | french"})).catalogue
    assert catalogue.title == ("Shirt", "Hat")
    assert catalogue.attributes == {"title:de": ("Hemd", ""), "title:fr": ("", "Chapeau")}
    with pytest.raises(ConfigError, match=r"no column 'x' \(catalogue\.columns\.titles\.it\)"):
        folder.read(mapped("c.csv", titles={"it": "x"}))
    with pytest.raises(ValueError, match="write a language and its column"):
        mapped("c.csv", titles={"i t": "x"})


def test_attributes_and_parts_must_be_there(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\n")
    with pytest.raises(ConfigError, match=r"no column 'x' \(catalogue\.columns\.attributes\)"):
        folder.read(mapped("c.csv", attributes=("x",)))
    with pytest.raises(ConfigError, match=r"no column 'x' \(catalogue\.columns\.title\)"):
        folder.read(mapped("c.csv", title=("title", "x")))


def test_a_price_is_read_where_it_is_used_and_a_quantity_where_there_is_one(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,quantity,price\na,1,x,2\nb,1,1,x\n")
    data = folder.read(interactions="a.csv")
    assert sold(data) == ["a", "b"]
    assert data.report.files[0].noted == {"quantity is not a number: taken as 1": 1}
    unread = InteractionSource("a.csv", columns=InteractionColumns(quantity=""))
    assert folder.read(interactions=unread).report.files[0].noted == {}
    assert sold(folder.read(interactions=InteractionSource("a.csv", price_above=0))) == ["a"]


@pytest.mark.parametrize("column", ["quantity", "price"])
def test_a_threshold_needs_its_column(folder: Folder, column: str) -> None:
    folder.put("a.csv", "item_id,order_id,amount\na,1,0\n")
    for columns in (InteractionColumns(), InteractionColumns(quantity="", price="")):
        source = InteractionSource("a.csv", columns=columns, quantity_above=0)
        if column == "price":
            source = InteractionSource("a.csv", columns=columns, price_above=0)
        message = rf"a\.csv: {column}_above needs a column; set interactions\.0\.columns\.{column}"
        with pytest.raises(ConfigError, match=message):
            folder.read(interactions=source)


def test_a_kind_without_weight_for_a_whole_file_is_a_fault_of_the_settings(
    folder: Folder,
) -> None:
    folder.put("a.csv", "item_id,order_id\na,1\n")
    with pytest.raises(
        ConfigError, match=r"interactions\.0\.kind: 'view' has no weight .*purchase"
    ):
        folder.read(interactions=InteractionSource("a.csv", kind="view"))


def test_units_of_a_file_without_a_mapping(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,user_id\na,1,u\na,1,v\nb,,\n")
    folder.put("b.csv", "item_id,basket_id,order_id,session_id\na,1,9,s\nb,2,9,s\n")
    data = folder.read(interactions=(InteractionSource("a.csv"), InteractionSource("b.csv")))
    assert data.interactions.basket.tolist() == [0, 0, -1, 1, 2]
    assert data.interactions.session.tolist() == [-1, -1, -1, 0, 0]
    assert data.interactions.user.tolist() == [0, 1, -1, -1, -1]
    assert data.interactions.time.tolist() == [0] * 5


def test_a_file_whose_rows_nothing_joins_is_a_fault_of_the_settings(folder: Folder) -> None:
    folder.put("a.csv", "item_id,InvoiceNo\na,1\n")
    with pytest.raises(ConfigError, match=r"a\.csv: no column says .* one of: item_id, InvoiceNo"):
        folder.read(interactions="a.csv")
    none = InteractionColumns(basket="", session="", user="")
    data = folder.read(interactions=InteractionSource("a.csv", columns=none))
    assert data.interactions.basket.tolist() == [-1]


@pytest.mark.parametrize("field", ["basket", "session", "user", "kind", "time", "title", "price"])
def test_a_column_that_a_file_of_interactions_lacks_is_named(folder: Folder, field: str) -> None:
    folder.put("a.csv", "item_id,order_id\na,1\n")
    source = InteractionSource("a.csv", columns=InteractionColumns(**{field: "ordre_id"}))
    message = (
        rf"a\.csv has no column 'ordre_id' \(interactions\.0\.columns\.{field}\); "
        "did you mean 'order_id'"
    )
    with pytest.raises(ConfigError, match=message):
        folder.read(interactions=source)


def test_the_column_of_cancelled_rows_must_be_there(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\na,1\n")
    source = InteractionSource("a.csv", cancelled=Cancelled("status", "cancelled"))
    with pytest.raises(
        ConfigError, match=r"no column 'status' \(interactions\.0\.cancelled\.column"
    ):
        folder.read(interactions=source)


def test_a_column_of_times_may_be_switched_off(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,time\na,1,noon\n")
    source = InteractionSource("a.csv", columns=InteractionColumns(time=""))
    assert folder.read(interactions=source).interactions.time.tolist() == [0]


@pytest.mark.parametrize(
    "source",
    [
        InteractionSource("a.csv", columns=InteractionColumns(item="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(kind="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(time="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(title="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(quantity="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(price="user_id")),
        InteractionSource("a.csv", cancelled=Cancelled("user_id", "bot")),
    ],
)
def test_the_user_column_is_not_read_as_anything_that_reports_show(
    folder: Folder, source: InteractionSource
) -> None:
    folder.put("a.csv", "item_id,user_id\na,u\n")
    with pytest.raises(ConfigError, match="column 'user_id' is read as the user and as something"):
        folder.read(interactions=source)


def test_the_user_may_be_the_basket_or_the_session(folder: Folder) -> None:
    folder.put("a.csv", "item_id,user_id\na,u\nb,u\n")
    columns = InteractionColumns(basket="user_id", session="user_id")
    interactions = folder.read(
        interactions=InteractionSource("a.csv", columns=columns)
    ).interactions
    assert interactions.basket.tolist() == interactions.session.tolist() == [0, 0]


def test_a_column_that_stands_twice_is_named(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id, item_id\na,1,b\n")
    with pytest.raises(DataError, match=r"a\.csv: the header names column 'item_id' twice"):
        folder.read(interactions="a.csv")


def test_columns_without_a_name_may_repeat(folder: Folder) -> None:
    folder.put("a.csv", ",item_id,,order_id\n0,a,,1\n")
    assert sold(folder.read(interactions="a.csv")) == ["a"]


def test_header_names_lose_white_space(folder: Folder) -> None:
    folder.put("a.csv", " item_id , order_id\na,1\n")
    assert sold(folder.read(interactions="a.csv")) == ["a"]


def test_a_missing_column_is_named_with_those_there_are(folder: Folder) -> None:
    folder.put("a.csv", "ItemID,order_id,Title\na,1,A\n")
    columns = InteractionColumns(item="item_Id")
    with pytest.raises(ConfigError) as caught:
        folder.read(interactions=InteractionSource("a.csv", columns=columns))
    assert str(caught.value) == (
        "a.csv has no column 'item_Id' (interactions.0.columns.item); did you mean 'ItemID'? "
        "its columns: ItemID, order_id, Title"
    )


def test_beside_a_catalogue_titles_are_not_looked_for(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\na,Ant\n")
    folder.put("a.csv", "item_id,order_id\na,1\n")
    events = InteractionSource("a.csv", columns=InteractionColumns(title="name"))
    assert folder.read("c.csv", events).catalogue.title == ("Ant",)


def test_a_column_that_stands_twice_does_no_harm_where_it_is_not_read(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,Meta: color,Meta: color\na,Ant,,\n")
    assert folder.read("c.csv").catalogue.title == ("Ant",)


def test_of_alternatives_the_first_that_the_file_has(folder: Folder) -> None:
    folder.put("c.csv", "SKU,Title,Status,Vendor | Maker,p,q\na,Ant,draft,Hive,,g\nb,Bee,,,h,\n")
    columns = CatalogueColumns(
        item="Variant SKU | SKU",
        title="Title",
        brand="Vendor | Maker",
        category="Type |",
        status=("Published |", "Status |"),
        group=("p", "q"),
    )
    catalogue = folder.read(CatalogueSource("c.csv", columns=columns)).catalogue
    assert catalogue.brand == ("Hive", ""), "a name may have a bar in it"
    assert catalogue.group == ("g", "h")
    assert catalogue.in_stock.tolist() == [False, True]
    missing = mapped("c.csv", item="Variant SKUs | SKUs", title="")
    with pytest.raises(ConfigError, match=r"no column 'Variant SKUs \| SKUs'.*did you mean 'SKU'"):
        folder.read(missing)


def test_several_marks_of_what_is_cancelled_of_which_a_file_may_lack_one(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,status,at\na,1,void,\nb,1,,\na,2,,1.1.\nb,2,,\nc,3,,\n")
    marks = (Cancelled("status", "void"), Cancelled("at |", r"\S"), Cancelled("gone |", "x"))
    data = folder.read(interactions=InteractionSource("a.csv", cancelled=marks))
    assert sold(data) == ["c"]
