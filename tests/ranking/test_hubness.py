"""No item stands in more than a share of the lists, whatever the order in which they are seen."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.ranking import hubness

Lists = list[list[int]]


@st.composite
def preferences(draw: st.DrawFn) -> Lists:
    n_items = draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    sizes = draw(st.lists(st.integers(0, n_items - 1), min_size=n_items, max_size=n_items))
    return [
        rng.permutation([row for row in range(n_items) if row != item])[:size].tolist()
        for item, size in enumerate(sizes)
    ]


def bounded(lists: Lists, depth: int, most: int, own: list[int] | None = None) -> Lists:
    sizes = np.array([len(one) for one in lists], dtype=np.int64)
    rows = np.array([row for one in lists for row in one], dtype=np.int32)
    firsts = sizes if own is None else np.array(own, dtype=np.int64)
    stays = hubness.bounded(sizes, firsts, rows, depth, most)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    kept: Lists = [[] for _ in lists]
    for owner, row in zip(owners[stays].tolist(), rows[stays].tolist(), strict=True):
        kept[owner].append(row)
    return kept


@pytest.mark.fault("S17")
@settings(max_examples=200)
@given(lists=preferences(), depth=st.integers(1, 6), most=st.integers(1, 6))
def test_a_subset_in_order_with_no_item_in_too_many_lists(
    lists: Lists, depth: int, most: int
) -> None:
    kept = bounded(lists, depth, most)
    for before, after in zip(lists, kept, strict=True):
        assert after == [row for row in before if row in after]
        assert len(after) <= depth
    counts = Counter(row for one in kept for row in one)
    assert max(counts.values(), default=0) <= most


@settings(max_examples=200)
@given(lists=preferences(), depth=st.integers(1, 6), most=st.integers(1, 6))
def test_what_a_list_lacks_is_full_of_lists_where_it_stands_no_lower(
    lists: Lists, depth: int, most: int
) -> None:
    """So no list is shorter, or worse, than the bound asks for."""
    kept = bounded(lists, depth, most)
    for owner, (before, after) in enumerate(zip(lists, kept, strict=True)):
        wanted = before if len(after) < depth else before[: before.index(after[-1])]
        for row in set(wanted) - set(after):
            holders = [other for other, one in enumerate(kept) if row in one]
            assert len(holders) == most
            mine = (before.index(row), owner)
            assert all((lists[other].index(row), other) < mine for other in holders)


@settings(max_examples=100)
@given(lists=preferences(), depth=st.integers(1, 6))
def test_a_bound_that_nobody_reaches_changes_nothing(lists: Lists, depth: int) -> None:
    assert bounded(lists, depth, len(lists)) == [one[:depth] for one in lists]


def test_best_sellers_behind_a_list_yield_to_entries_of_its_own() -> None:
    lists = [[2], [2], [1, 0]]
    assert bounded(lists, 1, 1, own=[0, 1, 2]) == [[], [2], [1]]


def test_a_refused_list_asks_for_its_next_entry() -> None:
    assert bounded([[3, 1], [3, 2], [3, 0], [0]], 1, 1) == [[3], [2], [], [0]]


@pytest.mark.parametrize(
    ("share", "n_items", "most"), [(0.1, 300, 30), (0.29, 100, 29), (0.001, 10, 1), (1.0, 7, 7)]
)
def test_a_share_of_the_lists_is_at_least_one(share: float, n_items: int, most: int) -> None:
    assert hubness.most_lists(share, n_items) == most
