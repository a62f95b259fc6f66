"""No item stands in more than a share of the lists, whatever the order in which they are seen."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.lists import Entries
from recommender.core.recipe import Choice, Placement
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


def bounded(lists: Lists, depth: int, most: int, scores: list[list[float]] | None = None) -> Lists:
    """The lists that remain; without scores, each place of a list is worth the same in all."""
    sizes = np.array([len(one) for one in lists], dtype=np.int64)
    rows = np.array([row for one in lists for row in one], dtype=np.int32)
    given = scores or [[1 / (place + 1) for place in range(len(one))] for one in lists]
    flat = np.array([score for one in given for score in one], dtype=np.float32)
    stays = hubness.bounded(sizes, rows, flat, depth, most)
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


def test_an_item_stays_where_its_score_is_highest() -> None:
    lists, scores = [[2, 3], [2, 3], [1, 3]], [[0.2, 0.1], [0.3, 0.1], [0.3, 0.1]]
    assert bounded(lists, 1, 1, scores) == [[3], [2], [1]]


def test_a_refused_list_asks_for_its_next_entry() -> None:
    assert bounded([[3, 1], [3, 2], [3, 0], [0]], 1, 1) == [[3], [2], [], [0]]


def placement(shown: int, hub_share: float, depth: int = 36) -> Placement:
    return Placement("one", Choice("gated"), shown=shown, depth=depth, hub_share=hub_share)


@pytest.mark.parametrize(
    ("share", "n_items", "most"), [(0.1, 300, 30), (0.29, 100, 29), (0.001, 10, 2), (1.0, 7, 7)]
)
def test_a_share_of_the_lists_is_at_least_two_and_a_half_times_the_fair_one(
    share: float, n_items: int, most: int
) -> None:
    assert hubness.most_lists(placement(1, share), n_items) == most


def arranged(
    lists: Lists, bounds: Placement, sold: np.ndarray | None = None
) -> tuple[Lists, list[list[float]]]:
    """The lists with their scores, each place of a list a tenth below the one before."""
    sizes = np.array([len(one) for one in lists], dtype=np.int64)
    entries = replace(
        Entries.padded(int(sizes.sum())),
        rows=np.array([row for one in lists for row in one], dtype=np.int32),
        scores=np.array(
            [0.9 - place / 10 for one in lists for place in range(len(one))], dtype=np.float32
        ),
    )
    sold = np.ones(len(lists), dtype=np.float32) if sold is None else sold
    most = hubness.most_lists(bounds, len(sizes))
    places, owners, scores = hubness.arranged(sizes, sizes, sold, entries, bounds, most)
    found: Lists = [entries.rows[places[owners == owner]].tolist() for owner in range(len(lists))]
    return found, [scores[owners == owner].tolist() for owner in range(len(lists))]


@settings(max_examples=200)
@given(lists=preferences(), shown=st.integers(1, 4), depth=st.integers(4, 8))
def test_no_item_is_shown_in_too_many_lists_and_scores_never_rise(
    lists: Lists, shown: int, depth: int
) -> None:
    bounds = placement(shown, 0.05, depth)
    found, scores = arranged(lists, bounds)
    counts = Counter(row for one in found for row in one[:shown])
    assert max(counts.values(), default=0) <= hubness.most_lists(bounds, len(lists))
    for before, after, of_list in zip(lists, found, scores, strict=True):
        assert len(after) == len(set(after)) <= depth
        assert set(after) <= set(before)
        assert of_list == sorted(of_list, reverse=True)


def test_a_hub_stays_with_what_sells_best() -> None:
    lists: Lists = [[9, 1, 2], [9, 2, 3], [9, 3, 4], [9, 4, 5], [9, 5, 6]]
    found, _ = arranged(lists, placement(1, 0.05), np.array([1, 4, 1, 9, 2], dtype=np.float32))
    assert [one[0] for one in found] == [1, 9, 3, 9, 5]


def test_a_refused_entry_follows_the_shown_ones() -> None:
    hub = [[9, 1, 2, 3], [9, 2, 3], [9, 3, 4], [9, 4, 5, 6], [9, 5, 6]]
    found, scores = arranged(hub, placement(1, 0.05))
    assert found == [[9, 1, 2, 3], [9, 2, 3], [3, 9, 4], [4, 9, 5, 6], [5, 9, 6]]
    assert scores[3] == pytest.approx([0.8, 0.8, 0.7, 0.6])
