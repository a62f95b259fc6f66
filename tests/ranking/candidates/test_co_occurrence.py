"""Candidates from behaviour, and from that of items with similar texts."""

import dataclasses

import numpy as np
import pytest

from recommender.core.interactions import DAY_S
from recommender.core.neighbours import NONE
from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from tests.support.candidate_blocks import prepared_generator
from tests.support.shops import (
    checkerboard,
    context,
    interactions,
    random_vectors,
)

N_ITEMS = 20
VECTORS = random_vectors(N_ITEMS)


def test_co_occurrence_counts_baskets() -> None:
    shop = context(VECTORS, interactions([[0, 1], [0, 1], [0, 2], [3, 4]], N_ITEMS))
    generator = prepared_generator(Choice("co-occurrence"), shop)
    proposed = generator.propose(np.array([0, 3, 9], dtype=np.int32), 2)
    assert set(proposed.rows[0].tolist()) == {1, 2}
    assert proposed.rows[1].tolist() == [4, NONE]
    assert not proposed.found[2].any()


def test_old_baskets_count_less() -> None:
    """Item 1 was bought with 0 three times long ago, item 2 once of late."""
    events = interactions([[0, 1], [0, 1], [0, 1], [0, 2]], N_ITEMS)
    aged = dataclasses.replace(events, time=events.time - DAY_S * 400 * (events.basket < 3))
    first = np.array([0], dtype=np.int32)
    for half_life_days, best in ((20.0, 2), (4000.0, 1)):
        choice = Choice("co-occurrence", {"half_life_days": half_life_days})
        proposed = prepared_generator(choice, context(VECTORS, aged)).propose(first, 1)
        assert proposed.rows.tolist() == [[best]]


@pytest.mark.parametrize("half_life_days", [0, float("inf")])
def test_without_decay_baskets_count_whatever_their_age(half_life_days: float) -> None:
    events = interactions([[0, 1], [0, 1], [0, 1], [0, 2]], N_ITEMS)
    aged = dataclasses.replace(events, time=events.time - DAY_S * 400 * (events.basket < 3))
    choice = Choice("co-occurrence", {"half_life_days": half_life_days})
    first = np.array([0], dtype=np.int32)
    proposed = prepared_generator(choice, context(VECTORS, aged)).propose(first, 1)
    assert proposed.rows.tolist() == [[1]]


def test_an_item_that_never_sold_borrows_the_baskets_of_similar_texts() -> None:
    shop = context(VECTORS, interactions([[0, 1], [0, 1], [3, 4]], N_ITEMS))
    near = shop.vectors.targets[0]
    targets = np.array(VECTORS.targets)
    targets[9] = near
    shop = context(dataclasses.replace(VECTORS, targets=targets), shop.interactions)
    asked = np.array([9], dtype=np.int32)
    assert not prepared_generator(Choice("co-occurrence"), shop).propose(asked, 3).found.any()
    borrowed = prepared_generator(Choice("text-back-off", {"width": 1}), shop).propose(asked, 3)
    assert borrowed.rows[borrowed.found].tolist() == [1]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("co-occurrence", {"half_life_days": -1.0}, "co-occurrence: half_life_days = -1.0"),
        ("text-back-off", {"half_life_days": -1.0}, "text-back-off: half_life_days = -1.0"),
        ("text-back-off", {"width": 0}, "text-back-off: width = 0 is below 1"),
    ],
)
def test_parameters_out_of_range(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepared_generator(Choice(name, parameters), context(VECTORS, checkerboard(N_ITEMS)))
