from itertools import permutations

import pytest

from recommender.errors import DataError
from recommender.readers.sources import CatalogueSource, InteractionColumns, InteractionSource
from tests.readers.shop_folder import Desk


def titles(
    desk: Desk, rows: list[str], source: InteractionSource | str = "a.csv"
) -> dict[str, str]:
    desk.put("a.csv", "item_id,order_id,title,quantity\n" + "\n".join(rows))
    catalogue = desk.read(interactions=source).catalogue
    return dict(zip(catalogue.ids, catalogue.title, strict=True))


def test_the_most_frequent_title_names_the_item(desk: Desk) -> None:
    rows = ["a,1,Ant,1", "a,2,Aunt,1", "a,3,Aunt,1", "a,4,,1", "a,5,,1", "a,6,,1", "b,1,,1"]
    assert titles(desk, rows) == {"a": "Aunt", "b": ""}


def test_titles_are_counted_after_cleaning(desk: Desk) -> None:
    rows = ["a,1, Ant ,1", "a,2,<i>Ant</i>,1", "a,3,Bee,1", "a,4, ,1", "a,5,\0,1", "a,6,\0,1"]
    assert titles(desk, rows) == {"a": "Ant"}


def test_of_equals_the_smallest_title_wins_in_any_order_of_rows(desk: Desk) -> None:
    rows = ["a,1,Bee,1", "a,2,Ant,1", "a,3,Cat,1"]
    for order in permutations(rows):
        assert titles(desk, list(order)) == {"a": "Ant"}


def test_only_kept_rows_count(desk: Desk) -> None:
    rows = ["a,1,damaged,-1", "a,2,damaged,-1", "a,3,Ant,1", "a,4,damaged,x"]
    assert titles(desk, rows, InteractionSource("a.csv", quantity_above=0)) == {"a": "Ant"}


def test_counts_go_over_blocks_and_files(desk: Desk) -> None:
    desk.put("b.csv", "item_id,order_id,name\n" + "a,1,Bee\n" * 2)
    desk.put("a.csv", "item_id,order_id,title\na,1,Ant\na,2,Ant\na,3,Bee\n")
    sources = (
        InteractionSource("a.csv"),
        InteractionSource("b.csv", columns=InteractionColumns(title="name")),
    )
    assert desk.read(interactions=sources).catalogue.title == ("Bee",)


def test_cut_titles_are_counted_once_an_item(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,title\n" + f"a,1,{'x' * 3_000}\n" * 3 + "b,1,Bee\n")
    data = desk.read(interactions="a.csv")
    assert data.report.shortened == 1
    assert len(data.catalogue.title[0]) == 2_000


def test_a_derived_catalogue_has_nothing_absent(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,title\nb,1,Bee\na,1,Ant\n")
    report = desk.read(interactions="a.csv").report
    assert (report.n_items, report.absent_from_catalogue, report.cold_items) == (2, 0, 0)


def test_the_scope_holds_for_a_derived_catalogue(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,kind\nb,1,view\na,1,purchase\n")
    events = InteractionSource("a.csv", weights={"view": 0.0, "purchase": 1.0})
    data = desk.read(CatalogueSource(scope="with_interactions"), events)
    assert data.catalogue.ids.ids == ("a",)
    assert desk.read(interactions=events).catalogue.ids.ids == ("a", "b")


def test_beside_a_catalogue_titles_are_not_looked_for(desk: Desk) -> None:
    desk.put("c.csv", "item_id,title\na,Ant\n")
    desk.put("a.csv", "item_id,order_id\na,1\n")
    events = InteractionSource("a.csv", columns=InteractionColumns(title="name"))
    assert desk.read("c.csv", events).catalogue.title == ("Ant",)


def test_no_kept_row_is_no_item(desk: Desk) -> None:
    desk.put("a.csv", "item_id,order_id,kind\nb,1,view\n")
    with pytest.raises(DataError, match="no items: no row of the interactions was kept"):
        desk.read(interactions="a.csv")


def test_titles_of_a_time_before_are_the_most_frequent_then_or_the_first(desk: Desk) -> None:
    rows = [
        "a,1,Ant,2026-01-01",
        "a,2,Aunt,2026-01-02",
        "a,3,Aunt,2026-01-03",
        "a,4,Later,2026-02-01",
        "a,5,Later,2026-02-02",
        "a,6,Later,2026-02-03",
        "b,5,Second,2026-02-02",
        "b,6,Second,2026-02-03",
        "b,4,First,2026-02-01",
        "c,1,,2026-01-01",
        "c,4,Cat,2026-02-01",
        "d,1,,2026-01-01",
    ]
    for order in (rows, rows[::-1]):
        desk.put("a.csv", "item_id,order_id,title,time\n" + "\n".join(order))
        assert desk.read(interactions="a.csv").catalogue.title == ("Later", "Second", "Cat", "")
        found = desk.read(interactions="a.csv", titles_before=1_769_904_000)  # 2026-02-01
        assert found.catalogue.title == ("Aunt", "First", "Cat", "")
