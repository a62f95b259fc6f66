from itertools import permutations

from recommender.readers.sources import InteractionColumns, InteractionSource
from tests.readers.shop_folder import Folder


def titles(
    folder: Folder, rows: list[str], source: InteractionSource | str = "a.csv"
) -> dict[str, str]:
    folder.put("a.csv", "item_id,order_id,title,quantity\n" + "\n".join(rows))
    catalogue = folder.read(interactions=source).catalogue
    return dict(zip(catalogue.ids, catalogue.title, strict=True))


def test_the_most_frequent_title_names_the_item(folder: Folder) -> None:
    rows = ["a,1,Ant,1", "a,2,Aunt,1", "a,3,Aunt,1", "a,4,,1", "a,5,,1", "a,6,,1", "b,1,,1"]
    assert titles(folder, rows) == {"a": "Aunt", "b": ""}


def test_titles_are_counted_after_cleaning(folder: Folder) -> None:
    rows = ["a,1, Ant ,1", "a,2,<i>Ant</i>,1", "a,3,Bee,1", "a,4, ,1", "a,5,\0,1", "a,6,\0,1"]
    assert titles(folder, rows) == {"a": "Ant"}


def test_of_equals_the_smallest_title_wins_in_any_order_of_rows(folder: Folder) -> None:
    rows = ["a,1,Bee,1", "a,2,Ant,1", "a,3,Cat,1"]
    for order in permutations(rows):
        assert titles(folder, list(order)) == {"a": "Ant"}


def test_only_kept_rows_count(folder: Folder) -> None:
    rows = ["a,1,damaged,-1", "a,2,damaged,-1", "a,3,Ant,1", "a,4,damaged,x"]
    assert titles(folder, rows, InteractionSource("a.csv", quantity_above=0)) == {"a": "Ant"}


def test_counts_go_over_blocks_and_files(folder: Folder) -> None:
    folder.put("b.csv", "item_id,order_id,name\n" + "a,1,Bee\n" * 2)
    folder.put("a.csv", "item_id,order_id,title\na,1,Ant\na,2,Ant\na,3,Bee\n")
    sources = (
        InteractionSource("a.csv"),
        InteractionSource("b.csv", columns=InteractionColumns(title="name")),
    )
    assert folder.read(interactions=sources).catalogue.title == ("Bee",)


def test_cut_titles_are_counted_once_an_item(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id,title\n" + f"a,1,{'x' * 3_000}\n" * 3 + "b,1,Bee\n")
    data = folder.read(interactions="a.csv")
    assert data.report.shortened == 1
    assert len(data.catalogue.title[0]) == 2_000


def test_titles_of_a_time_before_are_the_most_frequent_then_or_the_first(
    folder: Folder,
) -> None:
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
        folder.put("a.csv", "item_id,order_id,title,time\n" + "\n".join(order))
        assert folder.read(interactions="a.csv").catalogue.title == ("Later", "Second", "Cat", "")
        found = folder.read(interactions="a.csv", titles_before=1_769_904_000)  # 2026-02-01
        assert found.catalogue.title == ("Aunt", "First", "Cat", "")
