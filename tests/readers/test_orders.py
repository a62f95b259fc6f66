import pytest

from recommender.readers.sources import Cancelled, InteractionSource
from tests.readers.shop_folder import Folder, sold

STATUS = "item_id,order_id,status\na,1,paid\nb,1,\nc,2,refunded\nd,2,\ne,2,\na,3,paid\nf,4,void\n"


@pytest.mark.fault(78)
def test_an_order_is_cancelled_as_a_whole_though_one_row_says_so(folder: Folder) -> None:
    folder.put("a.csv", STATUS)
    source = InteractionSource("a.csv", cancelled=Cancelled("status", "refunded|void"))
    data = folder.read(interactions=source)
    assert sold(data) == ["a", "b", "a"]
    assert data.report.files[0].left_out == {"cancelled": 2}
    assert data.report.of_cancelled_orders == 2


def test_a_row_before_the_one_that_cancels_goes_too(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,status\na,1,paid\na,2,paid\nb,2,cancelled\n")
    source = InteractionSource("a.csv", cancelled=Cancelled("status", "cancelled"))
    assert folder.read(interactions=source).report.of_cancelled_orders == 1


def test_rows_may_be_cancelled_one_by_one(folder: Folder) -> None:
    folder.put("a.csv", STATUS)
    cancelled = Cancelled("status", "refunded", by="row")
    data = folder.read(interactions=InteractionSource("a.csv", cancelled=cancelled))
    assert sold(data) == ["a", "b", "d", "e", "a", "f"]


RETURNS = """item_id,order_id,user_id,quantity,time
a,1,u,3,2025-01-01
b,1,u,1,2025-01-01
c,1,u,1,2025-01-01
b,1,u,-1,2025-01-05
a,9,u,-1,2025-01-06
c,9,v,-1,2025-01-06
d,2,u,1,2025-02-01
d,9,u,-1,2025-01-06
e,2,,1,2025-02-01
"""


@pytest.mark.fault(78)
@pytest.mark.parametrize("threshold", [None, 0.0])
def test_returns_are_no_purchases_and_are_subtracted(
    folder: Folder, threshold: float | None
) -> None:
    folder.put("a.csv", RETURNS)
    data = folder.read(interactions=InteractionSource("a.csv", quantity_above=threshold))
    assert sold(data) == ["a", "c", "d", "e"]
    assert data.report.returned == 1
    reason = "quantity below 0: returned" if threshold is None else "quantity not above 0"
    assert data.report.files[0].left_out == {reason: 4}


def test_partial_returns_add_up(folder: Folder) -> None:
    rows = "a,1,u,-1\na,1,u,3\na,1,u,-1\nb,1,u,1\n"
    folder.put("a.csv", f"item_id,order_id,user_id,quantity\n{rows}")
    assert sold(folder.read(interactions="a.csv")) == ["a", "b"]
    folder.put("a.csv", f"item_id,order_id,user_id,quantity\n{rows}a,1,u,-1\n")
    assert sold(folder.read(interactions="a.csv")) == ["b"]


@pytest.mark.fault(78)
def test_a_refund_takes_back_an_item_or_the_whole_order(folder: Folder) -> None:
    rows = "a,1,purchase\nb,1,purchase\nb,1,refund\na,2,purchase\nc,2,purchase\n,2,refund\n"
    folder.put("a.csv", f"item_id,order_id,kind\n{rows}c,3,purchase\n")
    data = folder.read(interactions="a.csv")
    assert sold(data) == ["a", "c"]
    assert (data.report.returned, data.report.of_cancelled_orders) == (1, 2)
    assert data.report.files[0].left_out == {"kind of a refund": 2}


def test_what_was_seen_is_not_taken_back(folder: Folder) -> None:
    rows = "a,view,1\na,purchase,1\na,purchase,-1\nb,view,1\n"
    folder.put(
        "a.csv",
        "item_id,user_id,kind,quantity\n" + rows.replace("a,", "a,u,").replace("b,", "b,u,"),
    )
    weights = {"purchase": 1.0, "view": 0.1}
    data = folder.read(interactions=InteractionSource("a.csv", weights=weights))
    assert sold(data) == ["a", "b"]
    assert [data.interactions.kinds[code] for code in data.interactions.kind] == ["view", "view"]


def test_a_quantity_that_cannot_be_read_is_one(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,quantity\na,1,two\nb,1,\nc,1,0\n")
    data = folder.read(interactions="a.csv")
    assert sold(data) == ["a", "b", "c"]
    assert data.report.files[0].noted == {"quantity is not a number: taken as 1": 1}
