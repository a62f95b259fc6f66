"""Refreshed items in the index of a build, without building it again."""

import numpy as np
import pytest

from recommender import registry
from recommender.core.arrays import unit_rows
from recommender.core.neighbours import NONE
from recommender.core.recipe import Choice
from recommender.live.fold_in import ExtendedIndex

RNG = np.random.default_rng(0)
BUILT = unit_rows(RNG.normal(size=(40, 8)))
FRESH = unit_rows(RNG.normal(size=(3, 8)))
ROWS = np.array([7, 40, 41], dtype=np.int32)
"""One item of the build that changed, and two new ones."""


@pytest.mark.parametrize("k", [1, 5, 42])
def test_an_extended_index_finds_what_an_index_of_all_items_finds(k: int) -> None:
    whole = np.vstack([BUILT, FRESH[1:]])
    whole[7] = FRESH[0]
    exact = registry.index_builder(Choice("exact"))
    extended = ExtendedIndex(exact.build(BUILT), FRESH, ROWS)
    expected, found = exact.build(whole).search(whole, k), extended.search(whole, k)
    assert found.rows.tolist() == expected.rows.tolist()
    assert np.allclose(found.scores, expected.scores, atol=1e-5)
    assert extended.columns() == {}


def test_items_and_queries_without_a_vector_have_no_neighbours() -> None:
    exact = registry.index_builder(Choice("exact")).build(BUILT)
    blank = np.zeros((1, 8), dtype=np.float32)
    extended = ExtendedIndex(exact, blank, ROWS[1:2])
    assert 40 not in extended.search(BUILT, 40).rows
    assert (extended.search(blank, 5).rows == NONE).all()
