"""The protocols: splits that do not leak, queries as defined, and histories of users."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.cli.main import run
from recommender.core.interactions import DAY_S, Interactions
from recommender.core.neighbours import Neighbours
from recommender.errors import DataError
from recommender.evaluation.protocols import (
    DECAY,
    LAST_ITEMS,
    NextItemTask,
    Window,
    cold_folds,
    draw_queries,
    next_item_task,
    window,
)
from tests.support.shop_files import orders, write_shop
from tests.support.shops import interactions


def dated(baskets: list[list[int]], days: list[int], n_items: int) -> Interactions:
    """Baskets that were bought at noon of a day each."""
    made = interactions(baskets, n_items)
    times = np.repeat(np.array(days) * DAY_S + DAY_S // 2, [len(basket) for basket in baskets])
    return replace(made, time=times.astype(np.int64))


def test_a_basket_belongs_to_the_time_of_its_first_event() -> None:
    events = dated([[0, 1], [1, 2], [2, 3], [3, 4]], [1, 5, 8, 12], 5)
    times = events.time.copy()
    times[1] = 20 * DAY_S
    split = window(replace(events, time=times), until=10 * DAY_S, days=3)
    assert split.train.basket.tolist() == [0, 0, 1, 1]
    assert [basket.tolist() for basket in split.baskets] == [[2, 3]]


def test_large_baskets_are_left_out_and_counted() -> None:
    events = dated([[0, 1], list(range(101)), [5, 6]], [1, 9, 9], 120)
    split = window(events, until=10 * DAY_S, days=3)
    assert split.left_out == 1
    assert [basket.tolist() for basket in split.baskets] == [[5, 6]]


@pytest.mark.parametrize("days", [[1, 1], [9, 9]])
def test_both_sides_of_the_cut_are_needed(days: list[int]) -> None:
    with pytest.raises(DataError, match="baskets with times on both sides"):
        window(dated([[0, 1], [1, 2]], days, 3), until=10 * DAY_S, days=3)


def test_test_baskets_keep_the_order_of_their_lines() -> None:
    events = dated([[0, 1], [7, 3, 7, 5], [4, 2]], [1, 9, 9], 8)
    interleaved = events.select(np.ones(len(events), dtype=bool))
    order = [0, 1, 2, 6, 3, 4, 5, 7]
    shuffled = replace(
        interleaved,
        **{n: getattr(events, n)[order] for n in ("item", "basket", "session", "user", "time")},
    )
    split = window(shuffled, until=10 * DAY_S, days=3)
    assert [basket.tolist() for basket in split.baskets] == [[7, 3, 5], [4, 2]]


def test_events_without_weight_are_in_no_test_basket() -> None:
    events = dated([[0, 1], [2, 3, 4]], [1, 9], 5)
    kind = np.array([0, 0, 0, 1, 0], dtype=np.int8)
    viewed = replace(events, kind=kind, kinds=("purchase", "return"), weights=(1.0, 0.0))
    split = window(viewed, until=10 * DAY_S, days=3)
    assert [basket.tolist() for basket in split.baskets] == [[2, 4]]


def test_sessions_are_used_where_there_are_no_baskets() -> None:
    events = dated([[0, 1], [2, 3]], [1, 9], 5)
    clicks = replace(events, session=events.basket, basket=np.full(4, -1, dtype=np.int32))
    split = window(clicks, until=10 * DAY_S, days=3)
    assert [basket.tolist() for basket in split.baskets] == [[2, 3]]
    assert split.train.item.tolist() == [0, 1]


def test_queries_ask_at_most_five_items_of_every_basket() -> None:
    baskets = tuple(np.array(rows, dtype=np.int32) for rows in (range(9), [3], [4, 7]))
    queries = draw_queries(baskets)
    assert np.bincount(queries.basket).tolist() == [5, 0, 2]
    for place, row in enumerate(queries.row.tolist()):
        relevant = queries.relevant[queries.offsets[place] : queries.offsets[place + 1]].tolist()
        assert row not in relevant
        assert len(relevant) == (8 if queries.basket[place] == 0 else 1)
    assert (draw_queries(baskets).row == queries.row).all()


def test_folds_make_every_tenth_of_what_sells_cold() -> None:
    support = np.array([0] * 50 + [19] * 50 + [20] * 100, dtype=np.float32)
    folds = cold_folds(support, 3)
    assert [len(fold) for fold in folds] == [10, 10, 10]
    assert len(np.unique(np.concatenate(folds))) == 30
    assert min(fold.min() for fold in folds) >= 100


def test_a_shop_without_times_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, orders(("a", "b"), ("a", "b")).replace("time", "when"))
    assert run(["evaluate", "--config", str(config)]) == 4
    assert "baskets with times on both sides" in capsys.readouterr().err


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
