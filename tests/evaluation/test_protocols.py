"""The basket protocol: splits that do not leak, and queries as defined."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.cli.main import run
from recommender.core.interactions import DAY_S, Interactions
from recommender.errors import DataError
from recommender.evaluation.protocols import (
    basket_task,
    cold_folds,
    draw_queries,
    window,
)
from tests.support.shop_files import orders, write_shop
from tests.support.shops import interactions


def dated(baskets: list[list[int]], days: Sequence[float], n_items: int) -> Interactions:
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


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([1, 1], "no events in the test period, 1970-01-08 to 1970-01-11; .* from 1970-01-02 to"),
        (
            [9, 9],
            "no events before the test period, .*: set evaluation.days or evaluation.test_from",
        ),
        ([-0.5, -0.5], "no event has a time"),
    ],
)
def test_both_sides_of_the_cut_are_needed(days: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        window(dated([[0, 1], [1, 2]], days, 3), until=10 * DAY_S, days=3)


def test_events_without_a_weight_cannot_be_evaluated() -> None:
    events = replace(dated([[0, 1], [1, 2]], [1, 9], 3), weights=(0.0,))
    with pytest.raises(DataError, match="the kinds purchase have no weight above 0"):
        window(events, until=10 * DAY_S, days=3)


@pytest.mark.parametrize(("user", "instead"), [(0, "--protocol next-item"), (-1, "give orders")])
def test_the_basket_protocol_needs_baskets_of_two(user: int, instead: str) -> None:
    events = dated([[0], [1], [2]], [1, 9, 9], 3)
    events = replace(events, user=np.full(3, user, np.int32), users=np.zeros(1, np.uint64))
    chosen = window(events, until=10 * DAY_S, days=3)
    with pytest.raises(DataError, match=f"no basket or session .* {instead}"):
        basket_task(chosen, seed=0)


def test_users_alone_have_a_window() -> None:
    events = replace(dated([[0], [1], [2]], [1, 9, 9], 3), basket=np.full(3, -1, np.int32))
    chosen = window(events, until=10 * DAY_S, days=3)
    assert len(chosen.train) == 1
    assert len(chosen.later) == 2


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
    assert "no event has a time" in capsys.readouterr().err
