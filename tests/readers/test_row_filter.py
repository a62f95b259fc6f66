import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.sources import Cancelled, InteractionColumns, InteractionSource
from tests.readers.shop_folder import Desk, sold

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


def test_every_row_is_kept_left_out_or_refused_once_for_its_first_reason(desk: Desk) -> None:
    desk.put("a.csv", EVENTS)
    source = InteractionSource(
        "a.csv",
        quantity_above=0,
        price_above=0,
        item_pattern="[a-z]",
        cancelled=Cancelled("order_id", "C"),
    )
    data = desk.read(interactions=source)
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
    assert [(row["line"], row["column"], row["value"]) for row in desk.refused()] == [
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
def test_a_quantity_that_is_no_number_is_refused(desk: Desk, value: str) -> None:
    desk.put("a.csv", f'item_id,order_id,quantity\na,1,2\nb,1,"{value}"\n')
    data = desk.read(interactions=InteractionSource("a.csv", quantity_above=0))
    assert sold(data) == ["a"]
    reason = "quantity is not a number" if value else "quantity is empty"
    assert [(row["reason"], row["value"]) for row in desk.refused()] == [(reason, value)]


def test_quantity_and_price_are_read_where_they_are_used_or_named(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,quantity,price\na,1,x,2\nb,1,1,x\n")
    assert sold(desk.read(interactions="a.csv")) == ["a", "b"]
    named = InteractionColumns(quantity="quantity")
    data = desk.read(interactions=InteractionSource("a.csv", columns=named))
    assert sold(data) == ["b"]
    assert sold(desk.read(interactions=InteractionSource("a.csv", price_above=0))) == ["a"]


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0, ["b", "c"]), (1, ["c"]), (-1, ["a", "b", "c"])]
)
def test_a_threshold_is_not_kept_itself(desk: Desk, threshold: float, kept: list[str]) -> None:
    desk.put("a.csv", "item_id,order_id,quantity\na,1,0\nb,1,1\nc,1,1.5\n")
    data = desk.read(interactions=InteractionSource("a.csv", quantity_above=threshold))
    assert sold(data) == kept


@pytest.mark.parametrize("column", ["quantity", "price"])
def test_a_threshold_needs_its_column(desk: Desk, column: str) -> None:
    desk.put("a.csv", "item_id,order_id,amount\na,1,0\n")
    for columns in (InteractionColumns(), InteractionColumns(quantity="", price="")):
        source = InteractionSource("a.csv", columns=columns, quantity_above=0)
        if column == "price":
            source = InteractionSource("a.csv", columns=columns, price_above=0)
        message = rf"a\.csv: {column}_above needs a column; set interactions\.0\.columns\.{column}"
        with pytest.raises(ConfigError, match=message):
            desk.read(interactions=source)


def test_kinds_have_the_weights_of_the_settings_in_the_order_of_their_names(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,kind\na,1,view\nb,1, purchase\nc,1,cart\nd,1,View\n")
    weights = {"view": 0.1, "purchase": 1.0, "cart": 0.0}
    data = desk.read(interactions=InteractionSource("a.csv", weights=weights))
    assert data.interactions.kinds == ("cart", "purchase", "view")
    assert data.interactions.weights == (0.0, 1.0, 0.1)
    assert data.interactions.kind.tolist() == [2, 1, 0]
    assert data.report.files[0].left_out == {"kind View has no weight": 1}
    assert data.report.cold_items == 1


def test_the_kind_of_a_file_without_kinds(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id\na,1\n")
    weights = {"view": 0.1, "purchase": 1.0}
    data = desk.read(interactions=InteractionSource("a.csv", kind="view", weights=weights))
    assert [data.interactions.kinds[code] for code in data.interactions.kind] == ["view"]


def test_a_kind_without_weight_for_a_whole_file_is_a_fault_of_the_settings(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id\na,1\n")
    with pytest.raises(
        ConfigError, match=r"interactions\.0\.kind: 'view' has no weight .*purchase"
    ):
        desk.read(interactions=InteractionSource("a.csv", kind="view"))


def test_many_strange_kinds_stay_a_short_report(desk: Desk) -> None:
    rows = "".join(f"a,1,{'k' * 60}{number}\n" for number in range(200))
    desk.put("a.csv", f"item_id,order_id,kind\n{rows}b,1,purchase\nb,1,\x1b[31m\n")
    (file,) = desk.read(interactions="a.csv").report.files
    assert file.left_out == {
        f"kind {'k' * 40} has no weight": 200,
        "kind '\\x1b[31m' has no weight": 1,
    }
    rows = "".join(f"a,1,{number}\n" for number in range(200))
    desk.put("a.csv", f"item_id,order_id,kind\n{rows}b,1,purchase\n")
    (file,) = desk.read(interactions="a.csv").report.files
    assert len(file.left_out) == 51
    assert file.left_out["other reasons"] == 150


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("", ["85123A", "123456", "POST", "d71053"]),
        (r"\d{5}", ["85123A", "123456"]),
        (r"\d{5}$", []),
        (r"\d{5}[A-Z]?$", ["85123A"]),
    ],
)
def test_the_item_pattern_matches_from_the_start(desk: Desk, pattern: str, kept: list[str]) -> None:
    desk.put("c.csv", "item_id,title\nx,X\n")
    desk.put("a.csv", "item_id,order_id\n85123A,1\n123456,1\nPOST,1\nd71053,1\n")
    data = desk.read("c.csv", InteractionSource("a.csv", item_pattern=pattern))
    assert sold(data) == kept


def test_units_of_a_file_without_a_mapping(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,user_id\na,1,u\na,1,v\nb,,\n")
    desk.put("b.csv", "item_id,basket_id,order_id,session_id\na,1,9,s\nb,2,9,s\n")
    data = desk.read(interactions=(InteractionSource("a.csv"), InteractionSource("b.csv")))
    assert data.interactions.basket.tolist() == [0, 0, -1, 1, 2]
    assert data.interactions.session.tolist() == [-1, -1, -1, 0, 0]
    assert data.interactions.user.tolist() == [0, 1, -1, -1, -1]
    assert data.interactions.time.tolist() == [0] * 5


def test_a_file_whose_rows_nothing_joins_is_a_fault_of_the_settings(desk: Desk) -> None:
    desk.put("a.csv", "item_id,InvoiceNo\na,1\n")
    with pytest.raises(ConfigError, match=r"a\.csv: no column says .* one of: item_id, InvoiceNo"):
        desk.read(interactions="a.csv")
    none = InteractionColumns(basket="", session="", user="")
    data = desk.read(interactions=InteractionSource("a.csv", columns=none))
    assert data.interactions.basket.tolist() == [-1]


@pytest.mark.parametrize("field", ["basket", "session", "user", "kind", "time", "title", "price"])
def test_a_column_that_the_file_lacks_is_named(desk: Desk, field: str) -> None:
    desk.put("a.csv", "item_id,order_id\na,1\n")
    source = InteractionSource("a.csv", columns=InteractionColumns(**{field: "ordre_id"}))
    message = (
        rf"a\.csv has no column 'ordre_id' \(interactions\.0\.columns\.{field}\); "
        "did you mean 'order_id'"
    )
    with pytest.raises(ConfigError, match=message):
        desk.read(interactions=source)


def test_the_column_of_cancelled_rows_must_be_there(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id\na,1\n")
    source = InteractionSource("a.csv", cancelled=Cancelled("status", "cancelled"))
    with pytest.raises(
        ConfigError, match=r"no column 'status' \(interactions\.0\.cancelled\.column"
    ):
        desk.read(interactions=source)


def test_times_are_epoch_seconds_in_the_zone_of_the_shop(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,time\na,1,1/07/2011 12:00\n")
    source = InteractionSource("a.csv", time_zone="Europe/London", time_format="%d/%m/%Y %H:%M")
    assert desk.read(interactions=source).interactions.time.tolist() == [1_309_518_000]


def test_a_column_of_times_may_be_switched_off(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,time\na,1,noon\n")
    source = InteractionSource("a.csv", columns=InteractionColumns(time=""))
    assert desk.read(interactions=source).interactions.time.tolist() == [0]


def test_left_out_and_refused_rows_leave_no_number_behind(desk: Desk) -> None:
    rows = "x,C1,u1,\nb,2,u2,now\na,3,u3,2010-12-01\n"
    desk.put("a.csv", f"item_id,order_id,user_id,time\n{rows}")
    data = desk.read(interactions=InteractionSource("a.csv", cancelled=Cancelled("order_id", "C")))
    assert data.interactions.basket.tolist() == [0]
    assert data.interactions.user.tolist() == [0]
    assert len(data.interactions.users) == 1
    assert data.catalogue.ids.ids == ("a",)


def test_too_many_refused_rows_stop_the_run_with_all_that_helps(desk: Desk) -> None:
    rows = "a,1,x\n" * 3 + "a,1,2\n" * 97
    desk.put("a.csv", f"item_id,order_id,quantity\n{rows}")
    source = InteractionSource("a.csv", quantity_above=0)
    with pytest.raises(DataError) as caught:
        desk.read(interactions=source, refused_share_max=0.02)
    assert str(caught.value) == (
        "a.csv: 3 of 100 rows refused (3.0%, refused_share_max is 2.0%); most often: quantity is "
        f"not a number (first: line 2, value 'x'); mend the rows listed in {desk.quarantine}, "
        "or raise refused_share_max"
    )
    assert [row["line"] for row in desk.refused()] == [2, 3, 4]
    assert len(desk.read(interactions=source, refused_share_max=0.03).interactions) == 97


def test_the_share_is_judged_file_by_file(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id\n" + "a,1\n" * 1_000)
    desk.put("b.csv", "item_id,order_id\n" + "a,1\n" * 9 + "a\n")
    with pytest.raises(DataError, match=r"^b\.csv: 1 of 10 rows refused"):
        desk.read(interactions=InteractionSource(("a.csv", "b.csv")), refused_share_max=0.02)
