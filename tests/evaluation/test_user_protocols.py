"""The protocols of users: histories, what came next, and lists that are summed."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.core.interactions import DAY_S, Interactions
from recommender.core.neighbours import Neighbours
from recommender.errors import DataError
from recommender.evaluation.protocols import Window, window
from recommender.evaluation.user_protocols import (
    DECAY,
    LAST_ITEMS,
    NextItemTask,
    leave_one_out,
    next_item_task,
)
from tests.support.shops import interactions


def visits(*moments: tuple[int, int, list[int]], n_items: int = 12) -> Interactions:
    """Baskets of a user on a day each: (user, day, items)."""
    made = interactions([items for _, _, items in moments], n_items)
    sizes = [len(items) for _, _, items in moments]
    user = np.repeat(np.array([user for user, _, _ in moments], dtype=np.int32), sizes)
    day = np.repeat(np.array([day for _, day, _ in moments], dtype=np.int64), sizes)
    return replace(made, user=user, time=day * DAY_S)


def halves(shop: Interactions) -> Window:
    return window(shop, until=30 * DAY_S, days=10)


def relevant(task: NextItemTask, user: int) -> list[int]:
    queries = task.queries
    return sorted(queries.relevant[queries.offsets[user] : queries.offsets[user + 1]].tolist())


def test_the_last_moment_is_asked_for_and_all_before_it_is_history() -> None:
    shop = visits(
        (7, 1, [0, 1]), (7, 22, [2]), (7, 24, [3, 4, 1]), (5, 2, [6]), (5, 25, [7]), (9, 3, [8])
    )
    task = next_item_task(halves(shop))
    assert len(task.queries) == 2
    assert relevant(task, 1) == [3, 4]
    assert sorted(task.history.item[task.history.user == 1].tolist()) == [0, 1, 2]
    assert relevant(task, 0) == [7]
    assert task.left_out == 0


def test_users_without_history_or_anything_new_are_left_out_and_counted() -> None:
    shop = visits((1, 1, [0]), (1, 21, [2]), (2, 22, [3]), (3, 1, [4]), (3, 22, [4]))
    task = next_item_task(halves(shop))
    assert (len(task.queries), task.left_out) == (1, 2)


def test_a_window_without_a_user_to_ask_is_refused() -> None:
    with pytest.raises(DataError, match="none has both a history and a new item"):
        next_item_task(halves(visits((1, 1, [0]), (2, 22, [3, 4]))))


def test_a_moment_further_back_counts_less_and_an_item_counts_where_it_was_last() -> None:
    shop = visits((1, 1, [0, 1]), (1, 2, [2]), (1, 3, [3, 0]), (1, 25, [5]))
    last = next_item_task(halves(shop)).last.toarray()[0]
    expected = {0: 1.0, 3: 1.0, 2: DECAY, 1: DECAY**2}
    assert {int(row): last[row] for row in np.flatnonzero(last)} == pytest.approx(expected)


def test_only_the_last_items_are_summed() -> None:
    long = [(1, day, [day]) for day in range(1, LAST_ITEMS + 15)]
    shop = visits(*long, (1, 95, [0, 99]), (2, 94, [1]), n_items=100)
    task = next_item_task(window(shop, until=100 * DAY_S, days=10))
    assert task.last.nnz == LAST_ITEMS
    assert task.seen.nnz == len(long)
    assert task.last.toarray()[0, 1:15].sum() == 0


def test_lists_are_summed_and_what_was_seen_is_not_shown() -> None:
    shop = visits((1, 1, [0]), (1, 2, [1]), (1, 25, [5]), (2, 1, [3]), (2, 25, [4]))
    task = next_item_task(halves(shop))
    rows = np.full((12, 3), -1, dtype=np.int32)
    scores = np.full((12, 3), -np.inf, dtype=np.float32)
    rows[0], scores[0] = [1, 5, 6], [0.9, 0.6, 0.1]
    rows[1], scores[1] = [6, 7, -1], [0.55, 0.5, -np.inf]
    rows[3], scores[3] = [9, 10, 11], [0.3, 0.2, 0.1]
    shown = task.shown(Neighbours(rows, scores))
    # 6: .55 + .8 * .1 = .63; 7: .5; 5: .8 * .6 = .48; 1 was seen
    assert shown[0, :4].tolist() == [6, 7, 5, -1]
    assert shown[1, :4].tolist() == [9, 10, 11, -1]


def test_best_sellers_skip_what_was_seen() -> None:
    shop = visits((1, 1, [2, 0]), (1, 25, [5]), (2, 1, [3]), (2, 25, [4]))
    top = next_item_task(halves(shop)).shown_to_everyone(np.array([2, 3, 0, 1], dtype=np.int32))
    assert top[:, :4].tolist() == [[3, 1, -1, -1], [2, 0, 1, -1]]


def test_sessions_ask_where_no_user_is_known() -> None:
    made = interactions([[0, 1], [2, 3, 4]], 6)
    nobody = np.full(len(made), -1, dtype=np.int32)
    times = np.array([1, 1, 22, 22, 22]) * DAY_S + np.arange(5)
    clicks = replace(made, session=made.basket, basket=nobody, user=nobody, time=times)
    task = next_item_task(halves(clicks))
    assert relevant(task, 0) == [4]
    assert task.last.toarray()[0, [2, 3]] == pytest.approx([DECAY, 1])


def test_the_last_event_of_each_user_is_left_out_and_the_last_two_are_not_learned_from() -> None:
    shop = visits((1, 1, [0]), (1, 2, [1]), (1, 3, [2]), (1, 4, [3]), (2, 1, [4]), (2, 9, [5]))
    found, task = leave_one_out(shop, test=True)
    assert sorted(found.train.item.tolist()) == [0, 1, 4, 5]
    assert relevant(task, 0) == [3]
    assert len(task.queries) == 1
    expected = {2: 1.0, 1: DECAY, 0: DECAY**2}
    last = task.last.toarray()[0]
    assert {int(row): last[row] for row in np.flatnonzero(last)} == pytest.approx(expected)


def test_in_validation_the_last_event_but_one_is_asked_for_and_the_last_is_never_read() -> None:
    shop = visits((1, 1, [0]), (1, 2, [1]), (1, 3, [2]), (1, 4, [3]))
    found, task = leave_one_out(shop, test=False)
    assert sorted(found.train.item.tolist()) == [0, 1]
    assert relevant(task, 0) == [2]
    assert 3 not in task.seen.indices


def test_events_of_one_time_are_in_the_order_of_the_input() -> None:
    shop = visits((1, 1, [0]), (1, 1, [2]), (1, 1, [1]))
    _, task = leave_one_out(shop, test=True)
    assert relevant(task, 0) == [1]


def test_users_with_fewer_than_three_events_cannot_be_left_one_out() -> None:
    with pytest.raises(DataError, match="basket protocol"):
        leave_one_out(visits((1, 1, [0]), (1, 2, [1]), (2, 1, [3])), test=True)
