"""Questions: which seeds ask, and which items are the answer."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.core.interactions import DAY_S, Interactions
from recommender.ranking.rankers.questions import DECAY, LAST_ITEMS, Questions
from tests.support.shops import interactions


def days(baskets: list[list[int]], n_items: int) -> Interactions:
    """The same baskets on each of five days."""
    made = interactions(baskets * 5, n_items)
    day = made.basket // len(baskets)
    return replace(made, time=day.astype(np.int64) * DAY_S)


def test_each_unit_asks_five_times_at_most_and_gives_one_ideal_list() -> None:
    asked = Questions.together(days([[0, 1], list(range(11))], 12))
    by_large = 5 / 11
    ideal_of_ten = (1 / np.log2(np.arange(2, 12))).sum()
    assert asked.seeds[0] == 0
    assert asked.frequency[0] == pytest.approx(4 * (1 + by_large))
    answers, observed = asked.answers.toarray()[0], asked.observed.toarray()[0]
    assert answers[1] == pytest.approx((1 + by_large / ideal_of_ten) / (1 + by_large))
    assert answers[2] == pytest.approx(by_large / ideal_of_ten / (1 + by_large))
    assert answers[11] == 0
    assert observed[1] == pytest.approx(1)
    assert observed[2] == pytest.approx(by_large / (1 + by_large))


def test_units_of_one_item_and_of_more_than_a_hundred_say_nothing() -> None:
    assert not len(Questions.together(interactions([[0], list(range(101))], 101)))


@pytest.mark.parametrize("day_s", [DAY_S, 0])
def test_the_newest_fifth_of_the_units_asks_for_itself(day_s: int) -> None:
    shop = days([[0, 1], [2, 3]], 5)
    asked = Questions.together(replace(shop, time=shop.time // DAY_S * day_s))
    times = np.bincount(asked.held_out, asked.frequency)
    assert times.tolist() == [16, 4]
    if day_s:
        newest = asked.seeds[asked.question[asked.held_out[asked.question]]]
        assert sorted(newest.tolist()) == [0, 1, 2, 3]


def test_a_draw_is_of_those_who_ask() -> None:
    asked = Questions.together(days([[0, 1], [2, 3], [4, 5]], 9))
    drawn = asked.drawn(np.arange(1, 9, dtype=np.int32), 5, seed=0)
    assert np.bincount(drawn.held_out).tolist() == [4, 1]
    assert set(drawn.seeds.tolist()) <= {1, 2, 3, 4, 5}
    everyone = asked.drawn(np.arange(9, dtype=np.int32), 100, seed=0)
    assert everyone.seeds.tolist() == [0, 1, 2, 3, 4, 5] * 2


def test_a_draw_asks_frequent_ones_more_often_and_keeps_how_often_all_are_asked() -> None:
    baskets = [[0, 1]] * 400 + [[row, row + 1] for row in range(2, 42, 2)]
    asked = Questions.together(interactions(baskets, 42))
    draws = [asked.drawn(np.arange(42, dtype=np.int32), 8, seed) for seed in range(300)]
    popular = np.mean([[row in one.seeds for row in (0, 1)] for one in draws])
    rare = np.mean([[row in one.seeds for row in (2, 3)] for one in draws])
    assert popular > 3 * rare
    shares = [one.frequency[one.seeds < 2].sum() / one.frequency.sum() for one in draws]
    assert np.mean(shares) > 0.5


def moments(*of_user: tuple[int, int, list[int]]) -> Interactions:
    """Baskets of a user on a day each: (user, day, items)."""
    made = interactions([items for _, _, items in of_user], 30)
    sizes = [len(items) for _, _, items in of_user]
    user = np.repeat(np.array([one[0] for one in of_user], dtype=np.int32), sizes)
    day = np.repeat(np.array([one[1] for one in of_user], dtype=np.int64), sizes)
    return replace(made, user=user, time=day * DAY_S)


def split(events: Interactions, day: int) -> tuple[Interactions, Interactions]:
    late = events.time >= day * DAY_S
    return events.select(~late), events.select(late)


def test_a_user_asks_with_what_came_before_each_later_moment() -> None:
    shop = moments((1, 1, [0]), (1, 2, [1]), (1, 5, [2, 3]), (1, 6, [4]))
    asked = Questions.next(*split(shop, 5))
    assert len(asked) == 2
    first, second = asked.question == 0, asked.question == 1
    assert dict(zip(asked.seeds[first].tolist(), asked.weight[first].tolist(), strict=True)) == {
        1: pytest.approx(1),
        0: pytest.approx(DECAY),
    }
    assert set(asked.seeds[second].tolist()) == {0, 1, 2, 3}
    assert asked.answers.toarray()[0, [2, 3]].tolist() == [0.5, 0.5]
    assert asked.answers.toarray()[1].nonzero()[0].tolist() == [4]
    assert asked.seen.toarray()[0].nonzero()[0].tolist() == [0, 1]


def test_the_newest_moments_are_held_out() -> None:
    shop = moments(
        *((user, 1, [0]) for user in range(1, 11)),
        *((user, 4 + user, [user]) for user in range(1, 11)),
    )
    asked = Questions.next(*split(shop, 5))
    new = asked.answers.toarray()[asked.held_out].nonzero()[1]
    assert sorted(new.tolist()) == [9, 10]


def test_only_the_last_items_ask_and_all_are_seen() -> None:
    early = [(1, day, [day]) for day in range(LAST_ITEMS + 3)]
    asked = Questions.next(*split(moments(*early, (1, 50, [29])), 40))
    assert sorted(asked.seeds.tolist()) == list(range(3, LAST_ITEMS + 3))
    assert asked.seen.nnz == LAST_ITEMS + 3


def test_what_a_user_had_before_is_no_answer_and_a_first_moment_no_question() -> None:
    shop = moments((1, 1, [0]), (1, 5, [0]), (2, 5, [3]), (3, 1, [4]), (3, 5, [5, 4]))
    asked = Questions.next(*split(shop, 5))
    assert len(asked) == 1
    assert asked.answers.toarray()[0].nonzero()[0].tolist() == [5]


def test_sessions_ask_where_there_are_no_users() -> None:
    made = interactions([[0, 1], [2, 3]], 6)
    nobody = np.full(len(made), -1, dtype=np.int32)
    clicks = replace(
        made, session=made.basket, basket=nobody, user=nobody, time=np.array([1, 1, 5, 6]) * DAY_S
    )
    asked = Questions.next(*split(clicks, 5))
    assert asked.seeds.tolist() == [2]
    assert asked.answers.toarray()[0].nonzero()[0].tolist() == [3]


def test_events_of_one_day_ask_one_after_another() -> None:
    shop = moments((1, 1, [0]), (1, 5, [1, 2]), (1, 6, [3]))
    alone = replace(shop, basket=np.full(len(shop), -1, dtype=np.int32))
    asked = Questions.next(*split(alone, 5))
    assert [part.nonzero()[0].tolist() for part in asked.answers.toarray()] == [[1], [2], [3]]
    assert sorted(asked.seeds[asked.question == 1].tolist()) == [0, 1]


def test_where_nobody_takes_one_item_after_another_nothing_is_asked() -> None:
    made = interactions([[0, 1], [2, 3]], 6)
    strangers = replace(made, user=np.full(len(made), -1, dtype=np.int32))
    assert not len(Questions.next(strangers, strangers))
