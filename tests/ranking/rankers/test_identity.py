"""Candidates in the order of their inner products."""

import numpy as np
import pytest

from recommender.core.neighbours import NONE, Neighbours
from recommender.ranking.rankers.identity import LOWEST_SCORE, Identity, InnerProductScorer
from tests.support.shops import checkerboard, context, random_vectors


def test_scores_are_parts_of_the_bound_and_at_least_the_lowest() -> None:
    rows = np.array([0], dtype=np.int32)
    found = np.array([[4, 2, 3, NONE]], dtype=np.int32)
    given = np.array([[25, 10, -3, -np.inf]], dtype=np.float32)
    ranked = InnerProductScorer(bound=50.0).rank(rows, Neighbours(found, given))
    assert ranked.rows.tolist() == found.tolist()
    expected = np.array([[0.5, 0.2, LOWEST_SCORE, -np.inf]], dtype=np.float32)
    assert ranked.scores.tolist() == expected.tolist()


def test_the_bound_is_that_of_the_shops_item_vectors() -> None:
    vectors = random_vectors(20)
    scorer = Identity().prepare(context(vectors, checkerboard(20)))
    rows = np.array([3], dtype=np.int32)
    found = np.array([[1, 2]], dtype=np.int32)
    candidates = Neighbours.ordered(found, vectors.inner(rows, found))
    ranked = scorer.rank(rows, candidates)
    assert ranked.scores == pytest.approx(np.clip(candidates.scores / 50, LOWEST_SCORE, 1))
