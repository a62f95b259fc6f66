"""Candidates from the vector index."""

import numpy as np

from recommender.core.recipe import Choice
from tests.support.candidate_blocks import prepared_generator
from tests.support.shops import (
    checkerboard,
    context,
    random_vectors,
)

N_ITEMS = 20
VECTORS = random_vectors(N_ITEMS)


def test_the_nearest_targets_of_the_query_vectors() -> None:
    """Queries and targets differ, so an item need not be nearest to itself."""
    rows = np.array([3, 0, 7], dtype=np.int32)
    generator = prepared_generator(Choice("nearest"), context(VECTORS, checkerboard(N_ITEMS)))
    inner = VECTORS.queries[rows] @ VECTORS.targets.T
    assert (generator.propose(rows, 5).rows == np.argsort(-inner, axis=1)[:, :5]).all()
