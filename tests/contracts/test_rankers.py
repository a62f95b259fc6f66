"""What every ranker owes."""

import numpy as np
import pytest

from recommender import registry
from recommender.neighbours import NONE, Neighbours
from recommender.protocols import Ranker
from recommender.recipe import Choice


@pytest.fixture(params=sorted(registry.RANKERS))
def ranker(request: pytest.FixtureRequest) -> Ranker:
    return registry.ranker(Choice(request.param))


def test_same_candidates_with_falling_scores(ranker: Ranker) -> None:
    rows = np.array([[4, 2, 9], [1, NONE, NONE]], dtype=np.int32)
    scores = np.array([[0.9, 0.5, 0.1], [0.3, -np.inf, -np.inf]], dtype=np.float32)
    ranked = ranker.rank(np.array([0, 5], dtype=np.int32), Neighbours(rows, scores))
    assert (np.sort(ranked.rows, axis=1) == np.sort(rows, axis=1)).all()
    assert (np.diff(ranked.scores[0]) <= 0).all()
    assert ranked.rows[1].tolist() == [1, NONE, NONE]
