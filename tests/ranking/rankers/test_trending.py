"""Candidates in the order of their growth."""

import dataclasses

import numpy as np
import pytest

from recommender.core.interactions import DAY_S
from recommender.core.labels import Labels
from recommender.core.neighbours import Neighbours
from recommender.errors import ConfigError
from recommender.ranking.rankers.trending import GrowthScorer, TrendingRanker
from tests.support.shops import context, interactions, random_vectors


def test_what_grows_in_the_category_stands_before_what_grows_elsewhere() -> None:
    order = GrowthScorer(
        np.array([0, 1, 9, -3, 2], dtype=np.float32),
        Labels(np.array([0, 0, 1, 0, -1], dtype=np.int32)),
    )
    rows = np.array([0, 4], dtype=np.int32)
    found = np.array([[1, 2, 3, 4], [0, 1, 2, 3]], dtype=np.int32)
    ranked = order.rank(rows, Neighbours(found, np.ones(found.shape, np.float32)))
    assert ranked.rows.tolist() == [[1, 2, 4, 3], [2, 1, 0, 3]]
    assert ((ranked.scores > 0) & (ranked.scores <= 1)).all()


def test_growth_counts_from_the_newest_event_and_not_from_the_clock() -> None:
    """Item 2 sold of late and item 1 long ago, whenever "of late" was."""
    events = interactions([[1]] * 20 + [[2]] * 20, 3)
    age_s = 90 * DAY_S * (events.item == 1)
    rows = np.array([0], dtype=np.int32)
    candidates = Neighbours(np.array([[1, 2]], np.int32), np.ones((1, 2), np.float32))
    for newest in (1_000 * DAY_S, 20_000 * DAY_S):
        dated = dataclasses.replace(events, time=newest - age_s)
        scorer = TrendingRanker().prepare(context(random_vectors(3), dated))
        assert scorer.rank(rows, candidates).rows.tolist() == [[2, 1]]


@pytest.mark.parametrize("half_life_days", [0.0, -1.0, float("inf")])
def test_a_half_life_has_to_be_above_0(half_life_days: float) -> None:
    with pytest.raises(ConfigError, match="trending: half_life_days"):
        TrendingRanker(half_life_days)
