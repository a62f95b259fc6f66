import dataclasses

import numpy as np
import pytest

from recommender.core.interactions import DAY_S, growth, most_popular
from tests.support.phone_shop import N_ITEMS
from tests.support.shops import interactions


def test_growth_is_a_share_of_the_shop_not_its_season() -> None:
    steady = [[row] for row in (0, 1)] * 30
    times = np.repeat(np.arange(30), 2) * DAY_S
    season = interactions([*steady, *[[0], [1]] * 20], N_ITEMS)
    late = np.concatenate([times, np.full(40, 30 * DAY_S)])
    season = dataclasses.replace(season, time=1_700_000_000 + late)
    assert growth(season, 7.0)[:2] == pytest.approx(0, abs=1e-3)
    one_grows = interactions([*steady, *[[0]] * 40], N_ITEMS)
    one_grows = dataclasses.replace(one_grows, time=1_700_000_000 + late)
    grown = growth(one_grows, 7.0)
    assert grown[0] > 0.5
    assert grown[1] < -0.5
    assert (grown[2:] == 0).all()


def test_nothing_grows_without_events() -> None:
    assert growth(interactions([], 4), 7.0).tolist() == [0, 0, 0, 0]


def test_the_most_popular_come_first_and_equal_ones_by_row() -> None:
    sold = np.array([2.0, 0.0, 5.0, 2.0, -1.0])
    assert most_popular(sold).tolist() == [2, 0, 3]
    allowed = np.array([True, True, False, True, True])
    assert most_popular(sold, allowed).tolist() == [0, 3]
