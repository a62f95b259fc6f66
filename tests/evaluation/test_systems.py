"""Baselines: against dense arithmetic, and without a list for what was never bought."""

import numpy as np
import pytest

from recommender.core.interactions import Interactions
from recommender.evaluation import systems
from recommender.evaluation.experiments import BEHAVIOUR
from recommender.vectors.behaviour.ease import REGULARISATION
from tests.support.shops import interactions

EVERY = {**BEHAVIOUR, "EASE": systems.ease}


def shop(n_items: int = 30, n_baskets: int = 400) -> Interactions:
    """Baskets of random size and popularity; the last item is in none."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, n_items)
    baskets = [
        rng.choice(n_items - 1, rng.integers(2, 7), replace=False, p=weights / weights.sum())
        for _ in range(n_baskets)
    ]
    return interactions([basket.tolist() for basket in baskets], n_items)


def counted(events: Interactions) -> np.ndarray:
    """Items by items: in how many baskets they stand together, 0 with itself."""
    seen = events.matrix().toarray() > 0
    counts = seen.T.astype(float) @ seen
    np.fill_diagonal(counts, 0)
    return counts


def test_counts_are_those_of_the_baskets() -> None:
    events = shop()
    counts = counted(events)
    lists = systems.co_occurrence_counts(events, 8)
    expected = -np.sort(-counts, axis=1)[:, :8]
    assert np.where(lists.found, lists.scores, 0) == pytest.approx(expected)
    rows, columns = np.nonzero(lists.found)
    assert (counts[rows, lists.rows[rows, columns]] == lists.scores[rows, columns]).all()


def test_implicit_cosine_is_the_cosine() -> None:
    events = shop()
    sold = (events.matrix().toarray() > 0).sum(axis=0)
    cosine = counted(events) / np.sqrt(np.outer(np.maximum(sold, 1), np.maximum(sold, 1)))
    lists = systems.implicit_cosine(events, 8)
    expected = -np.sort(-cosine, axis=1)[:, :8]
    assert np.where(lists.found, lists.scores, 0) == pytest.approx(expected, abs=1e-6)


def test_ease_is_the_closed_form() -> None:
    events = shop()
    seen = (events.matrix().toarray() > 0).astype(float)
    precision = np.linalg.inv(seen.T @ seen + REGULARISATION * np.eye(30))
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0)
    lists = systems.ease(events, 5)
    best = np.argsort(-weights, axis=1)[:, :5]
    assert (lists.rows[:29] == best[:29]).all()


def test_best_sellers_are_the_same_for_everyone_but_themselves() -> None:
    events = interactions([[0, 1], [0, 1], [0, 2], [2, 3], [2, 4], [2, 5]], 7)
    assert systems.best_sellers(events, 1).rows[:3].ravel().tolist() == [2, 2, 0]
    assert (systems.best_sellers(events, 9).rows[6] == [2, 0, 1, 3, 4, 5, -1, -1, -1]).all()


@pytest.mark.parametrize("name", EVERY)
def test_what_knows_behaviour_alone_has_no_list_for_a_cold_item(name: str) -> None:
    """So `evaluate_baselines` need not fit it in the folds of simulated cold items."""
    events = shop()
    warm = events.select(events.item != 3)
    lists = EVERY[name](warm, 10)
    assert not lists.found[[3, 29]].any()
    assert not (lists.rows == 3).any()
    assert lists.found[0].sum() > 5
    assert (lists.rows != np.arange(30)[:, None]).all()


@pytest.mark.parametrize("name", EVERY)
def test_baselines_are_deterministic(name: str) -> None:
    first, second = (EVERY[name](shop(), 10) for _ in range(2))
    assert (first.rows == second.rows).all()


def test_ease_is_left_out_where_memory_is_short() -> None:
    assert systems.ease_fits(3_791, 16 * 2**30)
    assert not systems.ease_fits(68_509, 64 * 2**30)


def test_item_knn_scales_counts_by_support_and_adds_nearness_of_content() -> None:
    events = shop()
    content = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    content /= np.linalg.norm(content, axis=1, keepdims=True)
    sold = np.maximum((events.matrix().toarray() > 0).sum(axis=0), 1)
    knn = counted(events) * sold[:, None] ** -0.5 * sold[None] ** -0.1
    near = 0.3 * np.maximum(content @ content.T, 0)
    np.fill_diagonal(near, 0)
    for given, scores in ((None, knn), (content, knn + near)):
        lists = systems.item_knn(events, 5, given)
        expected = -np.sort(-scores, axis=1)[:, :5]
        assert np.where(lists.found, lists.scores, 0) == pytest.approx(expected, abs=1e-5)
    assert lists.rows[29].tolist() == np.argsort(-near[29], kind="stable")[:5].tolist()
