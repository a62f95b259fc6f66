"""Names of rules against a catalogue."""

import pytest

from recommender.merchandising.matching import Shelves, nearest
from recommender.merchandising.rule_set import Selection
from tests.merchandising.rule_sets import application, goods

SHELVES = Shelves(goods(12))


@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        (Selection(), []),
        (Selection(items=("i003", "i001", "gone")), [1, 3]),
        (Selection(brands=("Acme",)), [0, 3, 6, 9]),
        (Selection(brands=("Acme", "Bolt", "Dust")), [0, 1, 3, 4, 6, 7, 9, 10]),
        (Selection(categories=("Home",)), [0, 1, 4, 5, 8, 9]),
        (Selection(categories=("Home > Lamps",)), [0, 4, 8]),
        (Selection(categories=("Hom",)), []),
        (Selection(("i000", "i001"), ("Acme",), ("Home",)), [0]),
    ],
)
def test_a_selection_means_these_rows(selection: Selection, rows: list[int]) -> None:
    assert SHELVES.rows(selection).tolist() == rows


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("exclude: i003", []),
        ("exclude: I003", ["there is no item 'I003'; did you mean 'i003'?"]),
        ("exclude: i0x11", ["there is no item 'i0x11'; did you mean 'i011'?"]),
        ("exclude: i101", ["there is no item 'i101'"]),
        ("exclude: i0077", ["there is no item 'i0077'; did you mean 'i007'?"]),
        ("exclude: zzz", ["there is no item 'zzz'"]),
        ("exclude: {pair: [i001, gone]}", ["there is no item 'gone'"]),
        ("replace: i001, with: gone", ["there is no item 'gone'"]),
        (
            "exclude: {brand: acme}, lists_of: {category: Home > Lmaps}",
            [
                "there is no brand 'acme'; did you mean 'Acme'?",
                "there is no category 'Home > Lmaps'; did you mean 'Home > Lamps'?",
            ],
        ),
    ],
)
def test_unknown_names_are_told_with_what_may_be_meant(rule: str, told: list[str]) -> None:
    rules = application(f"- {{name: a, {rule}}}", goods(12)).rules
    found = [str(unknown) for unknown in SHELVES.unknown(rules.rules[0])]
    assert found == told


def test_a_name_that_is_like_many_is_like_none() -> None:
    assert nearest("x", []) == ""
    assert nearest("LAMP", ["lamp", "Lamps"]) == "lamp"
    assert nearest("lamb", [f"lamp{number}" for number in range(5000)]) == ""


def test_a_rule_for_nothing_or_no_list_is_told_apart() -> None:
    made = application(
        "- {name: a, exclude: {brand: Acme, item: i001}}\n"
        "- {name: b, exclude: i001, lists_of: {brand: Dust}}\n"
        "- {name: c, exclude: {pair: [gone, i001]}}\n"
        "- {name: d, replace: i001, with: gone}\n- {name: e, exclude: i001}",
        goods(12),
    )
    assert [matched.moves_nothing for matched in made.matched] == [True] * 4 + [False]
