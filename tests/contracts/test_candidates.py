"""What every candidate generator owes."""

import numpy as np
import pytest

from recommender import registry
from recommender.core.protocols import PreparedGenerator
from recommender.core.recipe import Choice
from recommender.core.vectors import ItemVectors
from tests.support.candidate_blocks import prepared_generator
from tests.support.shops import checkerboard, context, labelled, random_vectors

N_ITEMS = 20


@pytest.fixture(scope="module")
def vectors() -> ItemVectors:
    return random_vectors(N_ITEMS)


@pytest.fixture(scope="module", params=sorted(registry.CANDIDATES))
def generator(request: pytest.FixtureRequest, vectors: ItemVectors) -> PreparedGenerator:
    shop = context(vectors, checkerboard(N_ITEMS), labelled(N_ITEMS))
    return prepared_generator(Choice(request.param), shop)


def test_scores_are_inner_products_of_the_vectors(
    generator: PreparedGenerator, vectors: ItemVectors
) -> None:
    rows = np.array([3, 0, 7], dtype=np.int32)
    proposed = generator.propose(rows, 5)
    assert proposed.found.any()
    expected = np.einsum("bd,bkd->bk", vectors.queries[rows], vectors.targets[proposed.rows])
    found = proposed.found
    assert proposed.scores[found] == pytest.approx(expected[found], rel=1e-4, abs=1e-4)


def test_at_most_k_each_once_best_first(generator: PreparedGenerator) -> None:
    proposed = generator.propose(np.arange(N_ITEMS, dtype=np.int32), 7)
    assert proposed.rows.shape[0] == N_ITEMS
    assert proposed.rows.shape[1] <= 7
    for rows, scores, found in zip(proposed.rows, proposed.scores, proposed.found, strict=True):
        assert len(set(rows[found].tolist())) == found.sum()
        assert (np.diff(scores[found]) <= 0).all()
        assert not found[found.argmin() :].any() or found.all()


def test_one_row_equals_the_block(generator: PreparedGenerator) -> None:
    block = generator.propose(np.arange(4, dtype=np.int32), 6)
    alone = generator.propose(np.array([2], dtype=np.int32), 6)
    assert (alone.rows[0] == block.rows[2]).all()
