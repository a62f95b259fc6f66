"""How two builds differ, where the answer is known."""

import numpy as np
import pytest

from recommender.core.comparison import compare
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, NamedLists, RelatedLists
from recommender.core.related import EVIDENCE

POPULAR = EVIDENCE.index("popular")


def build(lists: dict[str, str], popular: str = "") -> NamedLists:
    """Items by the order of `lists`, whose values are the ids of their entries."""
    ids = ItemIds(tuple(lists))
    rows = [ids.row(entry) for entries in lists.values() for entry in entries]
    codes = [POPULAR if item in popular else 0 for item, entries in lists.items() for _ in entries]
    return NamedLists(
        ids,
        RelatedLists(
            "related",
            np.cumsum([0, *(len(entries) for entries in lists.values())]),
            Entries(
                np.array(rows, dtype=np.int32),
                np.full(len(rows), 0.5, dtype=np.float32),
                np.array(codes, dtype=np.uint8),
            ),
        ),
    )


def test_the_same_is_the_same_whatever_the_order_of_rows() -> None:
    one = build({"a": "bc", "b": "a", "c": ""})
    two = build({"c": "", "b": "a", "a": "bc"})
    found = compare(one, two)
    assert found.kept.tolist() == [1, 1, 1]
    assert not found.moved.any()
    assert (found.churn, len(found.orphaned)) == (0, 0)


def test_what_came_went_and_moved() -> None:
    old = build({"a": "bcd", "b": "acd", "c": "ab", "d": "", "x": "a"})
    new = build({"a": "bce", "b": "dca", "c": "", "d": "", "e": "d"})
    found = compare(old, new)
    kept = dict(zip("abcd", found.kept.tolist(), strict=True))
    assert kept == {"a": pytest.approx(2 / 3), "b": 1, "c": 0, "d": 1}
    assert found.moved.tolist() == [True, True, True, False]
    assert found.overlap == pytest.approx((2 / 3 + 1 + 0 + 1) / 4)
    assert found.orphaned.tolist() == []
    gone = compare(old, build({"a": "c", "b": "c", "c": "ab", "d": ""}))
    assert gone.orphaned.tolist() == [3]


def test_an_item_that_is_gone_counts_as_gone() -> None:
    found = compare(build({"a": "bx", "b": "", "x": ""}), build({"a": "b", "b": ""}))
    assert found.kept.tolist() == [0.5, 1]


def test_best_sellers_that_fill_a_list_up_do_not_count() -> None:
    found = compare(build({"a": "b", "b": "a"}, popular="a"), build({"a": "", "b": "a"}))
    assert found.kept.tolist() == [1, 1]


def test_nothing_in_common() -> None:
    assert compare(build({"a": ""}), build({"b": ""})).overlap == 1


def test_an_item_that_enters_the_first_five_of_many_lists_is_told() -> None:
    items = [f"i{row:02d}" for row in range(40)]
    ids = ItemIds(tuple(items))

    def lists(target: int, owners: int) -> NamedLists:
        """The first `owners` lists hold the item, the others the last one."""
        rows = np.where(np.arange(40) < owners, target, 39).astype(np.int32)
        rows[[target, 39]] = 38
        made = RelatedLists(
            "related",
            np.arange(41),
            Entries(rows, np.full(40, 0.5, np.float32), np.zeros(40, np.uint8)),
        )
        return NamedLists(ids, made)

    found = compare(lists(30, 2), lists(30, 25))
    assert found.jumped.tolist() == [30]
    assert (found.links_before[30], found.links_after[30]) == (2, 25)
    assert compare(lists(30, 25), lists(30, 30)).jumped.tolist() == []
    assert compare(lists(30, 2), lists(30, 9)).jumped.tolist() == []
