"""Working lists: pins take seats, and settled lists are in the order of their weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.arrays import Rows
from recommender.core.lists import Entries
from recommender.core.neighbours import NONE
from recommender.core.related import EVIDENCE
from recommender.merchandising.matching import NO_PAIRS, NOTHING, Matched, Places
from recommender.merchandising.rule_set import MerchandisingRule
from recommender.merchandising.working_lists import LOWEST_SCORE, PinnedItems, WorkingLists
from tests.merchandising.rule_sets import listed

OWNERS = np.array([0, 1], dtype=np.int32)
Wanted = tuple[Matched, Places, Rows]


def rule(number: int, position: int = 1) -> Matched:
    """A rule as rows, whose targets are given apart."""
    made = MerchandisingRule(f"r{number}", "pin", position=position)
    return Matched(number, made, None, NOTHING, NO_PAIRS, -1)


def wanted(number: int, position: int, *pins: tuple[int, int]) -> Wanted:
    """A rule that wants rows in lists: pairs of list and row."""
    lists, rows = np.array(pins, dtype=np.int64).reshape(-1, 2).T
    return rule(number, position), lists, rows.astype(np.int32)


def listed_rows(entries: Entries) -> list[list[int]]:
    return [[row for row in rows if row != NONE] for rows in entries.rows.tolist()]


# Lists


@pytest.mark.parametrize("width", [2, 4])
def test_a_list_has_room_and_is_a_copy(width: int) -> None:
    lists = listed([[3, 4], [5]], 2)
    working = WorkingLists.of(OWNERS, lists, width)
    working.flat.rows[:] = 9
    assert working.entries.rows.tolist() == [[9] * width] * 2
    assert listed_rows(lists) == [[3, 4], [5]]
    assert working.weights[1].tolist() == pytest.approx([0.9, *[LOWEST_SCORE] * (width - 1)])


def test_untouched_lists_keep_their_order_although_scores_are_equal() -> None:
    lists = listed([[7, 3, 5], [6, 2, 4]], 3)
    lists.scores[:] = 0.5
    settled = WorkingLists.of(OWNERS, lists, 5).settled(np.array([0, 1]))
    assert listed_rows(settled) == [[7, 3, 5], [6, 2, 4]]


def test_weights_order_a_list_and_become_scores_of_at_most_one() -> None:
    working = WorkingLists.of(OWNERS, listed([[3, 4, 5], [3, 4, 5]], 3), 3)
    working.weights[0] = [0.1, 40.0, 0.2]
    settled = working.settled(np.array([0, 1]))
    assert listed_rows(settled) == [[4, 5, 3], [3, 4, 5]]
    assert settled.scores[0].tolist() == pytest.approx([1.0, 0.2, 0.1])


def test_what_is_dropped_its_own_or_there_twice_leaves() -> None:
    working = WorkingLists.of(OWNERS, listed([[3, 0, 4, 3], [1, 5, 6, 7]], 4), 4)
    working.dropped[1, 2] = True
    settled = working.settled(np.array([1, 0]))
    assert listed_rows(settled) == [[5, 7], [3, 4]]
    assert np.isneginf(settled.scores[~settled.found]).all()


def test_a_rule_that_acts_twice_in_a_list_is_noted_once() -> None:
    working = WorkingLists.of(OWNERS, listed([[3, 4], [5, 6]], 2), 3)
    working.note(rule(7), np.array([3, 5]))
    working.note(rule(8), np.array([], dtype=np.int64))
    assert [note.tolist() for note in working.notes] == [[[1, 7]]]
    assert working.touched.tolist() == [False, True]


# Pins


def test_pins_are_in_the_order_of_their_rules_and_at_most_at_the_last_seat() -> None:
    pins = PinnedItems.gathered(
        OWNERS, [wanted(4, 2, (1, 8), (0, 9)), wanted(6, 99, (0, 7))], depth=5
    )
    assert pins.rows.tolist() == [[9, 7], [8, NONE]]
    assert pins.seats.tolist() == [[1, 4], [1, 0]]
    assert pins.rules[pins.found].tolist() == [4, 6, 4]


def test_an_item_is_not_pinned_to_its_own_list_nor_twice() -> None:
    pins = PinnedItems.gathered(OWNERS, [wanted(0, 1, (0, 0), (1, 0)), wanted(1, 2, (1, 0))], 5)
    assert pins.rows.tolist() == [[NONE, NONE], [0, NONE]]
    assert pins.displaced.tolist() == [[1, 1]]


def test_no_pins_make_lists_without_columns() -> None:
    pins = PinnedItems.gathered(OWNERS, [], 5)
    assert pins.rows.shape == (2, 0)
    block = listed([[3, 4], [5]], 3)
    pins.seated(5).put_into(block, np.array([0, 1]), 5)
    assert listed_rows(block) == [[3, 4], [5]]


def test_barred_pins_are_reported_and_leave_their_seat_to_others() -> None:
    pins = PinnedItems.gathered(OWNERS[:1], [wanted(0, 1, (0, 8)), wanted(1, 1, (0, 9))], 5)
    left = pins.without(np.array([[True, False]])).seated(5)
    assert left.barred.tolist() == [[0, 0]]
    assert left.seats[left.found].tolist() == [0]
    assert left.displaced.tolist() == []


def test_of_equal_wishes_the_later_takes_the_next_seat_then_the_last_that_is_free() -> None:
    pins = PinnedItems.gathered(
        OWNERS[:1], [wanted(number, 2, (0, 5 + number)) for number in range(4)], 3
    )
    seated = pins.seated(3)
    assert seated.rows.tolist() == [[5, 6, 7, NONE]]
    assert seated.seats.tolist() == [[1, 2, 0, -1]]
    assert seated.displaced.tolist() == [[0, 1], [0, 2], [0, 3]]


def test_entries_move_back_and_those_beyond_the_depth_leave() -> None:
    block = listed([[3, 4, 5], [3, 4, 5]], 4)
    pins = PinnedItems.gathered(OWNERS, [wanted(0, 2, (0, 9)), wanted(1, 1, (0, 5))], 3)
    pins.seated(3).put_into(block, np.array([0, 1]), 3)
    assert listed_rows(block) == [[5, 9, 3], [3, 4, 5]]
    assert [EVIDENCE[code] for code in block.evidence[0, :3]] == ["rule", "rule", EVIDENCE[0]]


def test_a_pin_scores_as_the_entry_before_it_and_the_first_as_the_one_behind() -> None:
    block = listed([[3, 4], [5]], 4)
    wishes = [wanted(0, 1, (0, 8)), wanted(1, 3, (0, 9), (1, 9))]
    PinnedItems.gathered(OWNERS, wishes, 4).seated(4).put_into(block, np.array([0, 1]), 4)
    assert listed_rows(block) == [[8, 3, 9, 4], [5, 9]]
    assert block.scores[0].tolist() == pytest.approx([0.9, 0.9, 0.9, 0.7])
    assert block.scores[1, :2].tolist() == pytest.approx([0.9, 0.9])


def test_a_pin_before_nothing_but_fillers_scores_one() -> None:
    block = Entries.padded((1, 3))
    block.put_new((0, 0), rows=4, scores=LOWEST_SCORE, evidence=EVIDENCE.index("popular"))
    pins = PinnedItems.gathered(OWNERS[:1], [wanted(0, 1, (0, 9))], 3).seated(3)
    pins.put_into(block, np.array([0]), 3)
    assert listed_rows(block) == [[9, 4]]
    assert block.scores[0, :2].tolist() == pytest.approx([1.0, LOWEST_SCORE])


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(1, 7), st.integers(2, 9)), max_size=8),
)
def test_seats_are_taken_once_and_no_pin_is_left_out_while_one_is_free(
    depth: int, wishes: list[tuple[int, int]]
) -> None:
    pins = PinnedItems.gathered(
        OWNERS[:1],
        [wanted(number, position, (0, row)) for number, (position, row) in enumerate(wishes)],
        depth,
    )
    seats = pins.seated(depth)
    taken = seats.seats[seats.found].tolist()
    assert len(set(taken)) == len(taken) == min(depth, len({row for _, row in wishes}))
    assert all(0 <= seat < depth for seat in taken)
