"""Pairs ranked by their products: the order of a stable sort, whatever the scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core import neighbours
from recommender.core.neighbours import NONE, nearest_of_pairs

LEVELS = np.array([-2.5, -1e-30, -0.0, 0.0, 1e-30, 0.25, 3.0], dtype=np.float32)


@given(
    st.lists(st.lists(st.integers(0, 6), max_size=12), min_size=1, max_size=9), st.integers(1, 6)
)
def test_best_first_and_equal_ones_by_row(candidates: list[list[int]], k: int) -> None:
    targets = LEVELS[:, None]
    queries = np.ones((len(candidates), 1), dtype=np.float32)
    asking = np.repeat(np.arange(len(candidates)), [len(own) for own in candidates])
    rows = np.array([row for own in candidates for row in own], dtype=np.int32)
    mixed = np.random.default_rng(len(rows)).permutation(len(rows))
    found = nearest_of_pairs(targets, queries, asking[mixed], rows[mixed], k)
    for query, own in enumerate(candidates):
        expected = sorted(own, key=lambda row: (-LEVELS[row], row))[:k]
        padding = k - len(expected)
        assert found.rows[query].tolist() == expected + [NONE] * padding
        assert found.scores[query].tolist() == LEVELS[expected].tolist() + [-np.inf] * padding


def test_wide_and_narrow_queries_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(300, 4)).astype(np.float32)
    queries = rng.normal(size=(50, 4)).astype(np.float32)
    counts = rng.integers(0, 300, 50) * (rng.random(50) < 0.5)
    asking = np.repeat(np.arange(50), counts)
    rows = np.concatenate([rng.permutation(300)[:count] for count in counts]).astype(np.int32)
    whole = nearest_of_pairs(targets, queries, asking, rows, 7)
    monkeypatch.setattr(neighbours, "KEYS", 400)
    cut = nearest_of_pairs(targets, queries, asking, rows, 7)
    assert (whole.rows == cut.rows).all()
    assert (whole.scores == cut.scores).all()


def test_a_zero_query_has_none() -> None:
    targets = np.ones((3, 2), dtype=np.float32)
    queries = np.array([[0, 0], [1, 0]], dtype=np.float32)
    found = nearest_of_pairs(targets, queries, np.array([0, 1]), np.array([2, 1], np.int32), 2)
    assert found.rows.tolist() == [[NONE, NONE], [1, NONE]]
    assert np.isneginf(found.scores[0]).all()
