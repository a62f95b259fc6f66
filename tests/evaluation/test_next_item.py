"""The next-item protocol: histories, what comes next, and lists summed over the last items."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.core.interactions import DAY_S, Interactions
from recommender.core.neighbours import Neighbours
from recommender.errors import DataError
from recommender.evaluation.baskets import Window, window
from recommender.evaluation.next_item import DECAY, LAST_ITEMS, Histories, histories
from tests.support.shops import interactions


def visits(*moments: tuple[int, int, list[int]], n_items: int = 12) -> Interactions:
    """Baskets of a user on a day each: (user, day, items)."""
    made = interactions([items for _, _, items in moments], n_items)
    sizes = [len(items) for _, _, items in moments]
    user = np.repeat(np.array([user for user, _, _ in moments], dtype=np.int32), sizes)
    day = np.repeat(np.array([day for _, day, _ in moments], dtype=np.int64), sizes)
    return replace(made, user=user, time=day * DAY_S)


def split(shop: Interactions) -> Window:
    return window(shop, until=30 * DAY_S, days=10)


def relevant(asked: Histories, user: int) -> list[int]:
    queries = asked.queries
    return sorted(queries.relevant[queries.offsets[user] : queries.offsets[user + 1]].tolist())


def test_the_last_moment_is_asked_for_and_all_before_it_is_history() -> None:
    shop = visits(
        (7, 1, [0, 1]), (7, 22, [2]), (7, 24, [3, 4, 1]), (5, 2, [6]), (5, 25, [7]), (9, 3, [8])
    )
    asked = histories(split(shop))
    assert len(asked.queries) == 2
    assert relevant(asked, 1) == [3, 4]
    assert sorted(asked.steps.item[asked.steps.holder == 1].tolist()) == [0, 1, 2]
    assert relevant(asked, 0) == [7]
    assert asked.left_out == 0


def test_users_without_history_or_anything_new_are_left_out_and_counted() -> None:
    shop = visits((1, 1, [0]), (1, 21, [2]), (2, 22, [3]), (3, 1, [4]), (3, 22, [4]))
    asked = histories(split(shop))
    assert (len(asked.queries), asked.left_out) == (1, 2)


def test_nobody_to_ask_is_told() -> None:
    with pytest.raises(DataError, match="none has both a history and a new item"):
        histories(split(visits((1, 1, [0]), (2, 22, [3, 4]))))


def test_a_moment_further_back_counts_less_and_an_item_counts_where_it_was_last() -> None:
    shop = visits((1, 1, [0, 1]), (1, 2, [2]), (1, 3, [3, 0]), (1, 25, [5]))
    last = histories(split(shop)).last.toarray()[0]
    expected = {0: 1.0, 3: 1.0, 2: DECAY, 1: DECAY**2}
    assert {int(row): last[row] for row in np.flatnonzero(last)} == pytest.approx(expected)


def test_only_the_last_items_are_summed() -> None:
    long = [(1, day, [day]) for day in range(1, LAST_ITEMS + 15)]
    shop = visits(*long, (1, 95, [0, 99]), (2, 94, [1]), n_items=100)
    asked = histories(window(shop, until=100 * DAY_S, days=10))
    assert asked.last.nnz == LAST_ITEMS
    assert asked.seen.nnz == len(long)
    assert asked.last.toarray()[0, 1:15].sum() == 0


def test_lists_are_summed_and_what_was_seen_is_not_shown() -> None:
    shop = visits((1, 1, [0]), (1, 2, [1]), (1, 25, [5]), (2, 1, [3]), (2, 25, [4]))
    asked = histories(split(shop))
    rows = np.full((12, 3), -1, dtype=np.int32)
    scores = np.full((12, 3), -np.inf, dtype=np.float32)
    rows[0], scores[0] = [1, 5, 6], [0.9, 0.6, 0.1]
    rows[1], scores[1] = [6, 7, -1], [0.55, 0.5, -np.inf]
    rows[3], scores[3] = [9, 10, 11], [0.3, 0.2, 0.1]
    shown = asked.shown(Neighbours(rows, scores))
    # 6: .55 + .8 * .1 = .63; 7: .5; 5: .8 * .6 = .48; 1 was seen
    assert shown[0, :4].tolist() == [6, 7, 5, -1]
    assert shown[1, :4].tolist() == [9, 10, 11, -1]


def test_best_sellers_skip_what_was_seen() -> None:
    shop = visits((1, 1, [2, 0]), (1, 25, [5]), (2, 1, [3]), (2, 25, [4]))
    top = histories(split(shop)).shown_to_everyone(np.array([2, 3, 0, 1], dtype=np.int32))
    assert top[:, :4].tolist() == [[3, 1, -1, -1], [2, 0, 1, -1]]


def test_sessions_ask_where_no_user_is_known() -> None:
    made = interactions([[0, 1], [2, 3, 4]], 6)
    nobody = np.full(len(made), -1, dtype=np.int32)
    times = np.array([1, 1, 22, 22, 22]) * DAY_S + np.arange(5)
    clicks = replace(made, session=made.basket, basket=nobody, user=nobody, time=times)
    asked = histories(split(clicks))
    assert relevant(asked, 0) == [4]
    assert asked.last.toarray()[0, [2, 3]] == pytest.approx([DECAY, 1])
