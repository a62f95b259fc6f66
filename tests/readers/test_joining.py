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


CAUSES = [
    (["4001.0"], ["4001"], "'4001.0' against '4001'", "ids = { strip_suffix = '.0' }"),
    (["1", "20"], ["000001", "000020"], "lost the zeros", "ids = { pad = 6 }"),
    (["1.0"], ["000001"], "'1.0' against '000001'", "{ strip_suffix = '.0', pad = 6 }"),
    (["0042"], ["42"], "the catalogue lost the zeros", "catalogue.ids = { pad = 4 }"),
    (["p1"], ["P1"], "differ in case: 'p1' against 'P1'", "ids = { fold_case = true }"),
    (["P1|P2"], ["P1", "P2", "P3"], "'P1|P2' against 'P1'", "ids = { split = '|' }"),
    (["4.00638E+12"], ["4006381333931"], "a spreadsheet wrote ids as rounded", ""),
    (["00000401"], ["401.0"], "end in .0, and differ", "{ strip_suffix = '.0', pad = 8 }"),
    (["S1|P4|EU"], ["P4"], "one of several fields: 'S1|P4|EU'", "ids = { extract = '"),
    (["SKU401"], ["401"], "'SKU401' against '401'", "ids = { extract = '\\D+(\\d.*)' }"),
    (["https://a.example/p/P4?ref=1"], ["P4"], "against 'P4'", "{ extract = '.*/([^/?#]+)' }"),
    (["P4"], ["'P4'"], "the catalogue have something around them", "catalogue.ids = { extract"),
    (["P4"], ["\u200bP4"], "the catalogue have something around them", "catalogue.ids = { extract"),
    (["KN0401"], ["KN-0401"], "differ in marks, zeros or case: export them alike", ""),
    (["4006381333931"], ["4.00638E+12"], "wrote ids of the catalogue as rounded", ""),
    (['[{"sku": "P1", "n": 1}, {"sku": "P2"}]'], ["P1", "P2"], "as JSON", "{ split = '{', extract"),
    (["gid://shop/42"], ["42"], "'gid://shop/42' against '42'", "ids = { extract = '"),
]


@pytest.mark.fault(76)
@pytest.mark.parametrize(("sold", "listed", "what", "setting"), CAUSES)
def test_the_likely_cause_is_shown_with_examples_and_the_setting(
    sold: list[str], listed: list[str], what: str, setting: str
) -> None:
    join = join_of(sold, listed)
    (cause,) = join.causes
    assert what in str(cause)
    assert setting in str(cause)
    assert cause.events == len(sold)
    with pytest.raises(DataError, match="interactions does not fit the catalogue: 0 of"):
        require_joined([join], 0.1, lambda _: "")


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
