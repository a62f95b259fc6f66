"""What every candidate source owes."""

import dataclasses

import numpy as np
import pytest

from recommender import registry
from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import NONE
from recommender.core.protocols import PreparedGenerator
from recommender.core.recipe import Choice
from recommender.core.vectors import ItemVectors
from recommender.vectors.index.exact import Exact
from tests.support.shops import catalogue, checkerboard, context, interactions

N_ITEMS = 20


@pytest.fixture(scope="module")
def vectors() -> ItemVectors:
    rng = np.random.default_rng(2)
    queries = rng.normal(size=(N_ITEMS, 6)).astype(np.float32)
    return ItemVectors(queries, rng.normal(size=(N_ITEMS, 6)).astype(np.float32), bound=50)


@pytest.fixture(scope="module", params=sorted(registry.CANDIDATES))
def generator(request: pytest.FixtureRequest, vectors: ItemVectors) -> PreparedGenerator:
    source = registry.candidate_generator(Choice(request.param))
    shop = context(vectors, checkerboard(N_ITEMS), labelled())
    return source.prepare(shop, Exact().build(vectors.targets))


def labelled() -> Catalogue:
    """Items of two brands, every tenth without one, in categories of five."""
    brands = tuple("" if row % 10 == 9 else ("Acme", "Bolt")[row % 2] for row in range(N_ITEMS))
    paths = tuple(f"Garden > Shelf {row // 5}" for row in range(N_ITEMS))
    return dataclasses.replace(catalogue(N_ITEMS), brand=brands, category=paths)


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


def test_co_occurrence_counts_baskets(vectors: ItemVectors) -> None:
    source = registry.candidate_generator(Choice("co-occurrence"))
    events = interactions([[0, 1], [0, 1], [0, 2], [3, 4]], N_ITEMS)
    generator = source.prepare(context(vectors, events), Exact().build(vectors.targets))
    proposed = generator.propose(np.array([0, 3, 9], dtype=np.int32), 2)
    assert set(proposed.rows[0].tolist()) == {1, 2}
    assert proposed.rows[1].tolist() == [4, NONE]
    assert not proposed.found[2].any()


def test_own_brand_and_own_category_are_proposed_whole(vectors: ItemVectors) -> None:
    shop, index = (
        context(vectors, checkerboard(N_ITEMS), labelled()),
        Exact().build(vectors.targets),
    )
    rows = np.array([0, 9], dtype=np.int32)
    by_brand = registry.candidate_generator(Choice("same-brand")).prepare(shop, index)
    found = by_brand.propose(rows, N_ITEMS)
    assert sorted(found.rows[0][found.found[0]].tolist()) == list(range(0, N_ITEMS, 2))
    assert not found.found[1].any()
    by_category = registry.candidate_generator(Choice("same-category")).prepare(shop, index)
    assert sorted(by_category.propose(rows, 5).rows[1].tolist()) == [5, 6, 7, 8, 9]
    nearest = by_category.propose(rows, 3).rows[0].tolist()
    inner = vectors.queries[0] @ vectors.targets[:5].T
    assert nearest == np.argsort(-inner)[:3].tolist()


def test_by_category_finds_what_a_category_is_bought_with(vectors: ItemVectors) -> None:
    source = registry.candidate_generator(Choice("by-category", {"categories": 1}))
    events = interactions([[0, 11], [1, 12], [0, 12], [3, 16]], N_ITEMS)
    generator = source.prepare(context(vectors, events, labelled()), Exact().build(vectors.targets))
    found = generator.propose(np.array([2, 19], dtype=np.int32), 5)
    assert sorted(found.rows[0].tolist()) == [10, 11, 12, 13, 14]
    assert sorted(found.rows[1].tolist()) == [0, 1, 2, 3, 4]


def test_trending_is_what_grows_of_late_in_the_category_and_the_shop(vectors: ItemVectors) -> None:
    """Item 0 always sold, 12 begins to, 3 ceased; both are in other categories than 1 and 13."""
    day = 86_400
    ever = [[0]] * 30
    events = interactions([*ever, *[[3]] * 20, *[[12]] * 8], N_ITEMS)
    times = np.concatenate([np.arange(30) * 3, np.arange(20), 82 + np.arange(8)]) * day
    events = dataclasses.replace(events, time=1_700_000_000 + times)
    shop, index = context(vectors, events, labelled()), Exact().build(vectors.targets)
    generator = registry.candidate_generator(Choice("trending")).prepare(shop, index)
    rows = np.array([1, 13], dtype=np.int32)
    found = generator.propose(rows, 4)
    assert found.rows[found.found].tolist() == [12, 12]
