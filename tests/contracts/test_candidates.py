"""What every candidate source owes."""

import numpy as np
import pytest

from recommender import registry
from recommender.indexes.exact import Exact
from recommender.neighbours import NONE
from recommender.protocols import Proposer
from recommender.recipe import Choice
from recommender.vectors import ItemVectors
from tests.shops import basis, checkerboard, interactions

N_ITEMS = 20


@pytest.fixture(scope="module")
def vectors() -> ItemVectors:
    rng = np.random.default_rng(2)
    queries = rng.normal(size=(N_ITEMS, 6)).astype(np.float32)
    return ItemVectors(queries, rng.normal(size=(N_ITEMS, 6)).astype(np.float32), bound=50)


@pytest.fixture(scope="module", params=sorted(registry.CANDIDATES))
def proposer(request: pytest.FixtureRequest, vectors: ItemVectors) -> Proposer:
    source = registry.candidate_source(Choice(request.param))
    return source.prepare(basis(vectors, checkerboard(N_ITEMS)), Exact().build(vectors.targets))


def test_scores_are_inner_products_of_the_vectors(proposer: Proposer, vectors: ItemVectors) -> None:
    rows = np.array([3, 0, 7], dtype=np.int32)
    proposed = proposer.propose(rows, 5)
    assert proposed.found.any()
    expected = np.einsum("bd,bkd->bk", vectors.queries[rows], vectors.targets[proposed.rows])
    found = proposed.found
    assert proposed.scores[found] == pytest.approx(expected[found], rel=1e-4, abs=1e-4)


def test_at_most_k_each_once_best_first(proposer: Proposer) -> None:
    proposed = proposer.propose(np.arange(N_ITEMS, dtype=np.int32), 7)
    assert proposed.rows.shape[0] == N_ITEMS
    assert proposed.rows.shape[1] <= 7
    for rows, scores, found in zip(proposed.rows, proposed.scores, proposed.found, strict=True):
        assert len(set(rows[found].tolist())) == found.sum()
        assert (np.diff(scores[found]) <= 0).all()
        assert not found[found.argmin() :].any() or found.all()


def test_one_row_equals_the_block(proposer: Proposer) -> None:
    block = proposer.propose(np.arange(4, dtype=np.int32), 6)
    alone = proposer.propose(np.array([2], dtype=np.int32), 6)
    assert (alone.rows[0] == block.rows[2]).all()


def test_co_occurrence_counts_baskets(vectors: ItemVectors) -> None:
    source = registry.candidate_source(Choice("co-occurrence"))
    events = interactions([[0, 1], [0, 1], [0, 2], [3, 4]], N_ITEMS)
    proposer = source.prepare(basis(vectors, events), Exact().build(vectors.targets))
    proposed = proposer.propose(np.array([0, 3, 9], dtype=np.int32), 2)
    assert set(proposed.rows[0].tolist()) == {1, 2}
    assert proposed.rows[1].tolist() == [4, NONE]
    assert not proposed.found[2].any()
