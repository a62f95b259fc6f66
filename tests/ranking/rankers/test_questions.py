import numpy as np
import pytest
from recommender.ranking.rankers.learning_data import Relevance

from recommender.core.neighbours import NONE, Neighbours
from tests.support.shops import interactions


def test_each_unit_asks_five_times_at_most_and_gives_one_ideal_list() -> None:
    relevance = Relevance.of(interactions([[0, 1], list(range(11))], 12))
    asked_by_large = 5 / 11
    ideal_of_ten = (1 / np.log2(np.arange(2, 12))).sum()
    assert relevance.times_asked[0] == pytest.approx(1 + asked_by_large)
    candidates = Neighbours(
        np.array([[1, 2, 11, NONE]], dtype=np.int32), np.zeros((1, 4), dtype=np.float32)
    )
    grades = relevance.grades(np.zeros(1, dtype=np.int32), candidates)[0]
    together = (1 + asked_by_large / ideal_of_ten) / (1 + asked_by_large)
    assert grades[0] == pytest.approx(together)
    assert grades[1] == pytest.approx(asked_by_large / ideal_of_ten / (1 + asked_by_large))
    assert grades[2:].tolist() == [0, 0]


def test_units_of_one_item_and_of_more_than_a_hundred_say_nothing() -> None:
    relevance = Relevance.of(interactions([[0], list(range(101))], 101))
    assert not relevance.times_asked.any()
    assert not len(relevance.drawn(np.arange(101, dtype=np.int32), 10, 0))


def test_a_draw_is_of_those_who_ask() -> None:
    relevance = Relevance.of(interactions([[0, 1], [2, 3], [4, 5]], 9))
    drawn = relevance.drawn(np.arange(1, 9, dtype=np.int32), 3, seed=0)
    assert len(set(drawn.tolist())) == 3
    assert set(drawn.tolist()) <= {1, 2, 3, 4, 5}
    everyone = relevance.drawn(np.arange(9, dtype=np.int32), 100, seed=0)
    assert everyone.tolist() == [0, 1, 2, 3, 4, 5]
