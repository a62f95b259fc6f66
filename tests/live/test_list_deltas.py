"""What refreshed items change in lists: examples, and laws of composition."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.ids import ItemIds
from recommender.core.lists import NamedLists
from recommender.errors import DataError
from recommender.live.list_deltas import ListDelta, NamedEntries, apply_delta
from tests.live.deltas import (
    DEPTH,
    IDS,
    POPULAR,
    SHOP,
    TEXT,
    ByItem,
    composed_lists,
    delta,
    lists_of,
    plain,
)


def test_a_new_item_has_its_list_and_enters_others_by_its_score() -> None:
    made = composed_lists(
        SHOP, delta({"new": [("a", 0.9, TEXT)]}, {"new": [("a", 0.75, TEXT), ("c", 0.1, TEXT)]})
    )
    assert made["new"] == [("a", 0.9, TEXT)]
    assert [item for item, _, _ in made["a"]] == ["b", "c", "new", "d", "e"]
    assert "new" not in {item for item, _, _ in made["c"]}


def test_best_sellers_stay_behind_what_enters() -> None:
    made = composed_lists(SHOP, delta({"new": []}, {"new": [("b", 0.05, TEXT)]}))
    assert made["b"] == [
        ("a", 0.9, TEXT),
        ("new", 0.05, TEXT),
        ("c", 0.2, POPULAR),
        ("d", 0.1, POPULAR),
    ]


def test_a_given_place_is_the_last_one_shown() -> None:
    made = composed_lists(
        SHOP, delta({"new": []}, {"new": [("a", 0.01, TEXT), ("c", 0.95, TEXT)]}, given_place=True)
    )
    assert [item for item, _, _ in made["a"]] == ["b", "c", "new", "d", "e"]
    assert made["a"][2] == ("new", 0.7, TEXT)
    assert made["c"][0] == ("new", 0.95, TEXT)


def test_a_refreshed_item_leaves_the_lists_that_it_does_not_enter_again() -> None:
    made = composed_lists(SHOP, delta({"d": [("a", 0.3, TEXT)]}, {"d": [("a", 0.95, TEXT)]}))
    assert [item for item, _, _ in made["a"]] == ["d", "b", "c", "e"]
    assert made["c"] == [(item, 0.5, TEXT) for item in "abef"]
    assert made["d"] == [("a", 0.3, TEXT)]


def test_at_most_a_quarter_of_a_list_is_provisional() -> None:
    names = [f"new{number}" for number in range(4)]
    made = composed_lists(
        SHOP,
        delta({name: [] for name in names}, {name: [("a", 0.85, TEXT)] for name in names}),
    )
    assert [item for item, _, _ in made["a"]] == ["b", "new0", "c", "d", "e"]


def test_a_best_seller_that_is_refreshed_fills_lists_still_unless_it_is_sold_out() -> None:
    made = delta({"c": []}, {})
    assert composed_lists(SHOP, made)["b"] == plain(SHOP)["b"]
    gone = replace(made, sold_out=np.ones(1, dtype=bool))
    assert composed_lists(SHOP, gone)["b"] == [("a", 0.9, TEXT), ("d", 0.1, POPULAR)]
    enters = delta({"c": []}, {"c": [("b", 0.3, TEXT)]})
    assert composed_lists(SHOP, enters)["b"][1:] == [("c", 0.3, TEXT), ("d", 0.1, POPULAR)]


def test_what_a_later_refresh_says_of_an_item_counts() -> None:
    first = delta(
        {"new": [("a", 0.9, TEXT)], "also": [("new", 0.4, TEXT)]}, {"new": [("a", 0.9, TEXT)]}
    )
    second = delta({"new": [("c", 0.8, TEXT)]}, {"new": [("c", 0.9, TEXT)]})
    made = composed_lists(SHOP, first, second)
    assert made["new"] == [("c", 0.8, TEXT)]
    assert made["also"] == []
    assert made["a"] == plain(SHOP)["a"]
    assert made["c"][0][0] == "new"


def test_columns_of_entries_are_as_long_as_each_other() -> None:
    with pytest.raises(DataError, match="differ in length"):
        NamedEntries(("a",), (), {"scores": np.zeros(0, dtype=np.float32)})


# Laws

SCORES = st.integers(1, 100).map(lambda number: number / 100)


@st.composite
def shops(draw: st.DrawFn) -> NamedLists:
    """A shop of lists, some of which end in best sellers."""
    lists: ByItem = {}
    for item in IDS:
        others = draw(st.permutations([other for other in IDS if other != item]))
        size = draw(st.integers(0, DEPTH))
        scores = sorted(draw(st.lists(SCORES, min_size=size, max_size=size)), reverse=True)
        own = draw(st.integers(0, size))
        lists[item] = [
            (other, score, TEXT if place < own else POPULAR)
            for place, (other, score) in enumerate(zip(others, scores, strict=False))
        ]
    return lists_of(IDS, lists)


@st.composite
def deltas(draw: st.DrawFn, pool: tuple[str, ...], holders: tuple[str, ...]) -> ListDelta:
    """A delta that refreshes some of a pool and enters lists of holders outside of it."""
    items = draw(st.lists(st.sampled_from(pool), unique=True, min_size=1))
    own: ByItem = {}
    entering: ByItem = {}
    for item in items:
        found = draw(st.lists(st.sampled_from(holders), unique=True, max_size=DEPTH))
        scores = sorted((draw(SCORES) for _ in found), reverse=True)
        own[item] = [(other, score, TEXT) for other, score in zip(found, scores, strict=True)]
        into = draw(st.lists(st.sampled_from(holders), unique=True))
        entering[item] = [(holder, draw(SCORES), TEXT) for holder in into]
    return delta(own, entering, given_place=draw(st.booleans()))


DELTAS = deltas(("new0", "new1", "a", "b"), ("c", "d", "e", "f"))


@settings(max_examples=100, deadline=None)
@given(shops(), DELTAS)
def test_no_list_holds_its_own_item_or_one_twice_or_is_too_long(
    shop: NamedLists, made: ListDelta
) -> None:
    before = plain(shop)
    for item, found in composed_lists(shop, made).items():
        names = [name for name, _, _ in found]
        assert item not in names
        assert len(set(names)) == len(names) <= DEPTH
        own = [score for _, score, code in found if code != POPULAR]
        assert own == sorted(own, reverse=True)
        codes = [code == POPULAR for _, _, code in found]
        assert codes == sorted(codes)
        if item not in made.items:
            entered = {name for name, _, code in found if name in made.items and code != POPULAR}
            kept = [entry for entry in before[item] if _stays(entry, made.items, entered)]
            settled = [entry for entry in found if entry[0] not in entered]
            assert settled == kept[: len(settled)]
            new = len(entered)
            assert new <= max(1, DEPTH // 4)
            assert len(settled) >= min(len(kept), DEPTH - new)


def _stays(entry: tuple[str, float, int], refreshed: Sequence[str], entered: set[str]) -> bool:
    """Whether an entry is not of a refreshed item, or of one that fills a list up still."""
    return entry[0] not in refreshed or (entry[2] == POPULAR and entry[0] not in entered)


@settings(max_examples=75, deadline=None)
@given(shops(), DELTAS)
def test_laying_the_same_twice_changes_nothing(shop: NamedLists, made: ListDelta) -> None:
    assert composed_lists(shop, made, made) == composed_lists(shop, made)


@settings(max_examples=75, deadline=None)
@given(shops(), DELTAS, deltas(("new2", "new3", "g", "h"), ("c", "d", "e", "f")))
def test_the_order_of_refreshes_of_other_items_does_not_matter(
    shop: NamedLists, one: ListDelta, other: ListDelta
) -> None:
    assert composed_lists(shop, one, other) == composed_lists(shop, other, one)


@settings(max_examples=50, deadline=None)
@given(shops(), DELTAS)
def test_lists_that_a_delta_does_not_touch_stay(shop: NamedLists, made: ListDelta) -> None:
    before, after = plain(shop), composed_lists(shop, made)
    named = {*made.items, *made.inserted.holders}
    for item, found in before.items():
        if item not in named and not {name for name, _, _ in found} & set(made.items):
            assert after[item] == found


def test_new_ids_have_empty_lists_in_a_placement_without_a_delta() -> None:
    ids = ItemIds((*IDS, "new"))
    made = apply_delta(SHOP, ids, None)
    assert len(made) == len(ids)
    assert made.sizes[-1] == 0
