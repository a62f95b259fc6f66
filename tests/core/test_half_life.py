"""A half-life is learned from how well earlier units predict later pairs."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.core.co_occurrence import Units
from recommender.core.half_life import days_in, learned_half_life, require_half_life
from recommender.core.interactions import DAY_S, Interactions
from recommender.errors import ConfigError
from tests.support.shops import interactions

N_ITEMS, DAYS = 40, 400


def shop(moves_every: int) -> Interactions:
    """Baskets of two every day; which items go together changes every so many days."""
    rng = np.random.default_rng(0)
    baskets, days = [], []
    for day in range(DAYS):
        partner = np.random.default_rng(day // moves_every).permutation(N_ITEMS)
        for row in rng.choice(N_ITEMS, 10, replace=False).tolist():
            if partner[row] != row:
                baskets.append([row, int(partner[row])])
                days.append(day)
    made = interactions(baskets, N_ITEMS)
    return replace(made, time=np.repeat(np.array(days, dtype=np.int64) + 1, 2) * DAY_S)


def test_what_never_changes_does_not_grow_old() -> None:
    assert days_in("auto", shop(DAYS)) == np.inf


def test_what_changes_often_grows_old_soon() -> None:
    assert days_in("auto", shop(100)) <= 60


def test_best_sellers_that_change_do_not_make_pairs_grow_old() -> None:
    """The first half of the items sells in the first half of the time, its pairs stay."""
    rng = np.random.default_rng(1)
    days = np.arange(4000) // 10 + 1
    rows = 2 * rng.integers(0, 10, 4000)
    late = rng.random(4000) < days / DAYS
    baskets = [
        [int(row + 20 * new), int(row + 20 * new) + 1] for row, new in zip(rows, late, strict=True)
    ]
    made = interactions(baskets, N_ITEMS)
    assert days_in("auto", replace(made, time=np.repeat(days, 2) * DAY_S)) == np.inf


@pytest.mark.parametrize("events", [[], [[0, 1]], [[0], [1], [2]]])
def test_too_little_to_learn_from_does_not_grow_old(events: list[list[int]]) -> None:
    assert learned_half_life(Units.of(interactions(events, N_ITEMS))) == np.inf


@pytest.mark.parametrize(("value", "days"), [(0, np.inf), (np.inf, np.inf), (30, 30.0)])
def test_a_number_is_taken_as_it_is(value: float, days: float) -> None:
    assert days_in(value, shop(DAYS)) == days


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_half_life_is_auto_or_a_number_from_0_on(value: float) -> None:
    with pytest.raises(ConfigError, match="co-occurrence: half_life_days"):
        require_half_life(value, "co-occurrence")
