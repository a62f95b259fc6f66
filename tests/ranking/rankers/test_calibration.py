"""Calibration: strengths become the shares that were observed, and their order stays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.ranking.rankers.calibration import Calibration


@given(
    st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1), st.floats(0.1, 10)), min_size=1),
    st.lists(st.floats(0, 2e3), min_size=2),
)
def test_scores_are_probabilities_that_never_change_an_order(
    known: list[tuple[float, float, float]], asked: list[float]
) -> None:
    fitted = Calibration.of(*(np.array(column) for column in zip(*known, strict=True)))
    scores = fitted.scores(np.sort(np.array(asked, dtype=np.float32)))
    assert ((scores > 0) & (scores < 1)).all()
    assert (np.diff(scores) >= 0).all()


def test_observed_shares_are_met_in_every_tenth() -> None:
    rng = np.random.default_rng(0)
    strength = rng.exponential(size=100_000)
    share = 0.3 * strength**2 / (1 + strength**2)
    observed = (rng.random(len(share)) < share).astype(np.float64)
    fitted = Calibration.of(strength, observed, np.ones(len(share)))
    scores = fitted.scores(strength.astype(np.float32))
    for part in np.array_split(np.argsort(strength), 10):
        assert abs(scores[part].mean() - share[part].mean()) < 0.01


def test_what_counts_more_decides() -> None:
    strength = np.array([1.0, 1.0])
    fitted = Calibration.of(strength, np.array([0.0, 1.0]), np.array([3.0, 1.0]))
    assert np.isclose(fitted.scores(np.array([1.0], dtype=np.float32))[0], 0.25)


def test_strengths_beyond_all_that_was_seen_still_differ() -> None:
    fitted = Calibration.of(np.arange(1.0, 9.0), np.linspace(0.1, 0.8, 8), np.ones(8))
    scores = fitted.scores(np.array([8.0, 9.0, 20.0], dtype=np.float32))
    assert (np.diff(scores) > 0).all()


def test_where_nothing_was_ever_the_answer_all_scores_are_the_lowest() -> None:
    fitted = Calibration.of(np.arange(1.0, 9.0), np.zeros(8), np.ones(8))
    assert np.allclose(fitted.scores(np.array([3.0], dtype=np.float32)), 1e-6)
