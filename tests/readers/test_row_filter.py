import pytest

from recommender.readers import values
from recommender.readers.id_repairs import IdRepairs
from recommender.readers.interactions import user_hash
from recommender.readers.sources import (
    Cancelled,
    InteractionSource,
)
from recommender.readers.times import TimeParser
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


@pytest.mark.parametrize("value", ["x", "nan", "inf", "1e400", "1_0", ""])
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
    rows = "".join(f"a,{n},{n % 3},2010/12/0{1 + n % 7}\n" for n in range(10_000))
    folder.put("a.csv", f"item_id,order_id,quantity,time\n{rows}")
    parsed: list[str] = []
    number, time = values._number, TimeParser._second

    def counted_number(text: str, decimal: str) -> float | None:
        parsed.append(text)
        return number(text, decimal)

    def counted_time(self: TimeParser, text: str) -> int:
        parsed.append(text)
        return time(self, text)

    monkeypatch.setattr(values, "_number", counted_number)
    monkeypatch.setattr(TimeParser, "_second", counted_time)
    folder.read(interactions=InteractionSource("a.csv", quantity_above=0))
    assert sorted(parsed) == ["0", "1", "2", *(f"2010/12/0{day}" for day in range(1, 8))]


def test_guests_are_no_users_and_null_is_no_basket(folder: Folder) -> None:
    rows = "a,1,u\nb,1,0\nc,NULL,NULL\nd,NULL,guest\ne,2,Guest\n"
    folder.put("a.csv", f"item_id,order_id,user_id\n{rows}")
    data = folder.read(interactions="a.csv")
    assert data.interactions.user.tolist() == [0, -1, -1, -1, -1]
    assert data.interactions.basket.tolist() == [0, 0, -1, -1, 1]
    (report,) = data.report.files
    assert report.noted == {"user is a guest": 4}
    assert [row.value for row in report.noted_examples] == [""]
    named = folder.read(interactions=InteractionSource("a.csv", guests=(), nulls=()))
    assert len(named.interactions.users) == 5


def test_several_ids_in_one_cell_are_as_many_rows(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\na|b |c,1\na,2\n")
    data = folder.read(interactions=InteractionSource("a.csv", ids=IdRepairs(split="|")))
    assert sold(data) == ["a", "b", "c", "a"]
    assert data.interactions.basket.tolist() == [0, 0, 0, 1]
    (report,) = data.report.files
    assert (report.rows, report.noted) == (4, {"several item ids in one cell": 1})


def test_ids_are_repaired_and_counted(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\n0042,Ant\nBee,Bee\n")
    folder.put("a.csv", "item_id,order_id\n42.0,1\nbEE,1\n0042,1\n")
    repairs = IdRepairs(strip_suffix=".0", pad=4, fold_case=True)
    data = folder.read("c.csv", InteractionSource("a.csv", ids=repairs))
    assert sold(data) == ["0042", "Bee", "0042"]
    noted = {"item id: suffix removed, zeros added": 1, "item id: case folded": 1}
    assert data.report.files[1].noted == noted
