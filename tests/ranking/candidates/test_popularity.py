"""Candidates that sell best, and that sell better than before."""

import dataclasses

import numpy as np
import pytest

from recommender.core.interactions import DAY_S
from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from tests.support.candidate_blocks import prepared_generator
from tests.support.shops import (
    checkerboard,
    context,
    interactions,
    labelled,
    random_vectors,
)

N_ITEMS = 20
VECTORS = random_vectors(N_ITEMS)


def test_best_sellers_are_the_same_for_every_item() -> None:
    """Every item sells; 7 sells most, then 3, then 11."""
    baskets = [[row] for row in range(N_ITEMS)] + [[7]] * 9 + [[3]] * 6 + [[11]] * 3
    shop = context(VECTORS, interactions(baskets, N_ITEMS))
    generator = prepared_generator(Choice("best-sellers", {"size": 3}), shop)
    found = generator.propose(np.array([0, 5], dtype=np.int32), 10)
    assert [set(rows) for rows in found.rows.tolist()] == [{3, 7, 11}] * 2
    assert set(generator.propose(np.array([0], dtype=np.int32), 2).rows[0].tolist()) == {3, 7}


def test_trending_is_what_grows_of_late_in_the_category_and_the_shop() -> None:
    """Item 0 always sold, 12 begins to, 3 ceased; both are in other categories than 1 and 13."""
    ever = [[0]] * 30
    events = interactions([*ever, *[[3]] * 20, *[[12]] * 8], N_ITEMS)
    times = np.concatenate([np.arange(30) * 3, np.arange(20), 82 + np.arange(8)]) * DAY_S
    events = dataclasses.replace(events, time=1_700_000_000 + times)
    shop = context(VECTORS, events, labelled(N_ITEMS))
    generator = prepared_generator(Choice("trending"), shop)
    rows = np.array([1, 13], dtype=np.int32)
    found = generator.propose(rows, 4)
    assert found.rows[found.found].tolist() == [12, 12]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("best-sellers", {"size": 0}, "best-sellers: size = 0 is below 1"),
        ("best-sellers", {"half_life_days": -1.0}, "best-sellers: half_life_days = -1.0"),
        ("trending", {"size": 0}, "trending: size = 0 is below 1"),
        ("trending", {"half_life_days": float("inf")}, "trending: half_life_days = inf"),
    ],
)
def test_parameters_out_of_range(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepared_generator(Choice(name, parameters), context(VECTORS, checkerboard(N_ITEMS)))
