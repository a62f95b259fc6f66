import pytest

from recommender.readers import values
from recommender.readers.interactions import user_hash
from recommender.readers.sources import (
    Cancelled,
    CatalogueColumns,
    CatalogueSource,
    InteractionSource,
)
from recommender.readers.values import TimeParser
from tests.readers.shop_folder import KEY, Folder, sold

EVENTS = """item_id,order_id,kind,quantity,price,time
a,1,purchase,2,1.5,2010-12-01
b,1,view,1,1.5,2010-12-01
c,C2,purchase,1,1.5,2010-12-01
POST,3,purchase,1,1.5,2010-12-01
e,3,purchase,0,1.5,2010-12-01
f,3,purchase,1,0,2010-12-01
g,3,purchase,x,1.5,2010-12-01
h,3,purchase,1,,2010-12-01
i,3,purchase,1,1.5,yesterday
j,3,purchase,1,1.5,
k,3,,1,1.5,2010-12-01
l,C4,,x,x,x
"""


def test_every_row_is_kept_left_out_or_refused_once_for_its_first_reason(
    folder: Folder,
) -> None:
    folder.put("a.csv", EVENTS)
    source = InteractionSource(
        "a.csv",
        quantity_above=0,
        price_above=0,
        item_pattern="[a-z]",
        cancelled=Cancelled("order_id", "C"),
    )
    data = folder.read(interactions=source)
    (file,) = data.report.files
    assert sold(data) == ["a"]
    assert file.left_out == {
        "cancelled": 2,
        "item id does not match item_pattern": 1,
        "kind view has no weight": 1,
        "kind '' has no weight": 1,
        "price not above 0": 1,
        "quantity not above 0": 1,
    }
    assert file.refused == {
        "price is empty": 1,
        "quantity is not a number": 1,
        "time is empty": 1,
        "time is not an ISO 8601 time": 1,
    }
    assert file.rows == 12 == file.kept + sum(file.left_out.values()) + sum(file.refused.values())
    assert [(row["line"], row["column"], row["value"]) for row in folder.refused()] == [
        (8, "quantity", "x"),
        (9, "price", ""),
        (10, "time", "yesterday"),
        (11, "time", ""),
    ]
    assert [(row.line, row.reason) for row in file.examples] == [
        (8, "quantity is not a number"),
        (9, "price is empty"),
        (10, "time is not an ISO 8601 time"),
        (11, "time is empty"),
    ]


@pytest.mark.parametrize("value", ["x", "1,000", "nan", "inf", "1e400", "1_0", ""])
def test_a_quantity_that_is_no_number_is_refused(folder: Folder, value: str) -> None:
    folder.put("a.csv", f'item_id,order_id,quantity\na,1,2\nb,1,"{value}"\n')
    data = folder.read(interactions=InteractionSource("a.csv", quantity_above=0))
    assert sold(data) == ["a"]
    reason = "quantity is not a number" if value else "quantity is empty"
    assert [(row["reason"], row["value"]) for row in folder.refused()] == [(reason, value)]


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0, ["b", "c"]), (1, ["c"]), (-1, ["a", "b", "c"])]
)
def test_a_threshold_is_not_kept_itself(folder: Folder, threshold: float, kept: list[str]) -> None:
    folder.put("a.csv", "item_id,order_id,quantity\na,1,0\nb,1,1\nc,1,1.5\n")
    data = folder.read(interactions=InteractionSource("a.csv", quantity_above=threshold))
    assert sold(data) == kept


def test_the_kind_of_a_file_without_kinds(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\na,1\n")
    weights = {"view": 0.1, "purchase": 1.0}
    data = folder.read(interactions=InteractionSource("a.csv", kind="view", weights=weights))
    assert [data.interactions.kinds[code] for code in data.interactions.kind] == ["view"]


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("", ["85123A", "123456", "POST", "d71053"]),
        (r"\d{5}", ["85123A", "123456"]),
        (r"\d{5}$", []),
        (r"\d{5}[A-Z]?$", ["85123A"]),
    ],
)
def test_the_item_pattern_matches_from_the_start(
    folder: Folder, pattern: str, kept: list[str]
) -> None:
    folder.put("c.csv", "item_id,title\nx,X\n")
    folder.put("a.csv", "item_id,order_id\n85123A,1\n123456,1\nPOST,1\nd71053,1\n")
    data = folder.read("c.csv", InteractionSource("a.csv", item_pattern=pattern))
    assert sold(data) == kept


def test_times_are_epoch_seconds_in_the_zone_of_the_shop(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,time\na,1,1/07/2011 12:00\n")
    source = InteractionSource("a.csv", time_zone="Europe/London", time_format="%d/%m/%Y %H:%M")
    assert folder.read(interactions=source).interactions.time.tolist() == [1_309_518_000]


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
def test_a_bad_row_of_a_catalogue_is_refused_alone(
    folder: Folder, column: str, value: str, reason: str
) -> None:
    row = {"item_id": "b", "group": "", "price": "", "in_stock": "", "available_from": ""}
    row |= {column: value}
    folder.put("c.csv", f"{','.join(row)},title\na,,,,,Ant\n{','.join(row.values())},Bee\n")
    data = folder.read("c.csv")
    assert data.catalogue.ids.ids == ("a",)
    (refused,) = folder.refused()
    assert (refused["line"], refused["reason"], refused["column"]) == (3, reason, column)
    assert refused["value"] == value[:100]
    assert data.report.files[0].refused == {reason: 1}


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
    folder.put("c.csv", f"item_id,title\na,{'<i></i> ' * 1_100}end\nb,{'<i></i> ' * 900}end\n")
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


def test_rows_of_forgotten_users_are_left_out_and_counted(folder: Folder) -> None:
    folder.put(
        "a.csv", "item_id,order_id,user_id,title\na,1,u,Ada's lamp\nb,1,v,Lamp\nb,2,u,\n,3,u,\n"
    )
    data = folder.read(interactions="a.csv", forgotten=["u"])
    assert data.interactions.item.tolist() == [0]
    assert data.interactions.users.tolist() == [user_hash("v", KEY)]
    assert data.catalogue.title == ("Lamp",)
    assert data.report.files[0].left_out == {"user is forgotten": 3}
    assert not folder.refused()


def test_a_text_is_parsed_once_a_block(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"a,{n},{n % 3},2010-12-0{1 + n % 7}\n" for n in range(10_000))
    folder.put("a.csv", f"item_id,order_id,quantity,time\n{rows}")
    parsed: list[str] = []
    number, time = values._number, TimeParser._second

    def counted_number(text: str) -> float | None:
        parsed.append(text)
        return number(text)

    def counted_time(self: TimeParser, text: str) -> int:
        parsed.append(text)
        return time(self, text)

    monkeypatch.setattr(values, "_number", counted_number)
    monkeypatch.setattr(TimeParser, "_second", counted_time)
    folder.read(interactions=InteractionSource("a.csv", quantity_above=0))
    assert sorted(parsed) == ["0", "1", "2", *(f"2010-12-0{day}" for day in range(1, 8))]
