import pytest

from recommender.errors import DataError
from recommender.readers.joining import Join, joined, require_joined


def join_of(sold: list[str], listed: list[str]) -> Join:
    return joined("interactions", dict.fromkeys(sold, 1), listed, listed)


def test_the_shares_that_meet() -> None:
    join = joined("interactions.1", {"a": 7, "b": 2, "x": 1}, ["a", "b", "c"], ["b", "c"])
    assert (join.joined_events, join.events) == (9, 10)
    assert (join.joined_ids, join.ids) == (2, 3)
    assert (join.sold_items, join.shown_items) == (1, 2)
    assert join.warning() == ""


def test_a_cause_is_a_warning_where_enough_events_meet() -> None:
    join = join_of(["A", "b", "C"], ["A", "B", "C"])
    require_joined([join], 0.1, lambda _: "")
    assert join.warning().startswith("interactions: 2 of 3 events and 2 of 3 sold ids are of items")
    assert "ids differ in case: 'b' against 'B'" in join.warning()


def test_each_source_is_judged_alone() -> None:
    views = joined("interactions.0", {"a": 1000}, ["a"], ["a"])
    orders = joined("interactions.1", {"x": 10}, ["a"], ["a"])
    with pytest.raises(
        DataError, match=r"interactions\.1 .* ids sold: 'x'; ids of the catalogue: 'a'"
    ):
        require_joined([views, orders], 0.1, lambda _: "")
    require_joined([views, orders], 0.0, lambda _: "")


def test_several_ids_in_a_cell_are_never_ids_of_items() -> None:
    join = joined("interactions", {"a": 50, "a|b": 50}, ["a", "b"], ["a", "b"])
    with pytest.raises(DataError, match="a cell has several ids"):
        require_joined([join], 0.1, lambda _: "")


def test_other_columns_are_proposed() -> None:
    with pytest.raises(DataError, match="sku meets 98% of the catalogue's sku"):
        require_joined(
            [join_of(["x"], ["a"])], 0.1, lambda _: "sku meets 98% of the catalogue's sku"
        )


def test_a_source_without_events_is_not_judged() -> None:
    require_joined([joined("interactions", {}, ["a"], ["a"])], 0.1, lambda _: "")
