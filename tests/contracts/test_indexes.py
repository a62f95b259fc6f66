"""What every index owes."""

import numpy as np
import pytest

from recommender import registry
from recommender.core.neighbours import NONE
from recommender.core.protocols import IndexBuilder
from recommender.core.recipe import Choice
from recommender.errors import ConfigError

N, D = 3000, 24
BUILDERS = [Choice(name) for name in sorted(registry.INDEXES)] + [
    Choice("auto", {"exact_up_to": 100}),
    Choice("auto", {"exact_up_to": 100, "probed_most": 0.0}),
    Choice("ivf", {"recall": 1.0, "cells": 16}),
    Choice("annoy", {"trees": 4}),
    Choice("exact", {"screened_from": 0}),
]


def targets(*, unequal: bool) -> np.ndarray:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(40, D))
    made = centres[rng.integers(0, 40, N)] + 0.4 * rng.normal(size=(N, D))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    if unequal:
        made *= rng.uniform(0.3, 3, (N, 1))
    return made.astype(np.float32)


@pytest.fixture(params=BUILDERS, ids=lambda choice: f"{choice.use}{dict(choice.parameters)}")
def builder(request: pytest.FixtureRequest) -> IndexBuilder:
    if request.param.use == "annoy":
        pytest.importorskip("annoy", reason="the extra annoy is not installed")
    return registry.index_builder(request.param)


@pytest.mark.parametrize("unequal", [False, True], ids=["equal norms", "unequal norms"])
def test_recall_against_all_products(builder: IndexBuilder, unequal: bool) -> None:
    indexed = targets(unequal=unequal)
    queries = targets(unequal=False)[:200]
    found = builder.build(indexed).search(queries, 24)
    wanted = np.argsort(-(queries @ indexed.T), axis=1)[:, :24]
    overlap = [len(np.intersect1d(a, b)) / 24 for a, b in zip(found.rows, wanted, strict=True)]
    assert np.mean(overlap) >= 0.95


def test_scores_are_inner_products_best_first(builder: IndexBuilder) -> None:
    indexed = targets(unequal=True)
    found = builder.build(indexed).search(indexed[:50], 10)
    expected = np.einsum("bd,bkd->bk", indexed[:50], indexed[found.rows])
    assert found.scores == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_a_block_equals_its_queries_one_by_one(builder: IndexBuilder) -> None:
    index = builder.build(targets(unequal=False))
    queries = targets(unequal=False)[:8]
    whole = index.search(queries, 5)
    for row in range(8):
        assert (index.search(queries[row : row + 1], 5).rows == whole.rows[row]).all()


def test_more_neighbours_than_items(builder: IndexBuilder) -> None:
    few = targets(unequal=False)[:5]
    found = builder.build(few).search(few, 50)
    assert sorted(found.rows[0][found.found[0]].tolist()) == [0, 1, 2, 3, 4]


def test_zero_rows_are_neither_found_nor_find(builder: IndexBuilder) -> None:
    some = targets(unequal=False)[:300].copy()
    some[::3] = 0
    found = builder.build(some).search(some[:10], 300)
    assert not np.isin(found.rows[found.found], np.arange(0, 300, 3)).any()
    assert (found.rows[0] == NONE).all()
    assert np.isneginf(found.scores[0]).all()


def test_only_zero_rows(builder: IndexBuilder) -> None:
    blank = np.zeros((4, D), dtype=np.float32)
    assert not builder.build(blank).search(blank, 3).found.any()


def test_identical_items_stand_in_row_order(builder: IndexBuilder) -> None:
    same = np.tile(targets(unequal=False)[:1], (30, 1))
    found = builder.build(same).search(same[:3], 30)
    assert (found.rows == np.arange(30)).all()


def test_inputs_stay_as_they_are(builder: IndexBuilder) -> None:
    indexed = targets(unequal=True)
    before = indexed.copy()
    builder.build(indexed).search(indexed[:4], 3)
    assert (indexed == before).all()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ivf", {"recall": 0}),
        ("ivf", {"cells": -1}),
        ("auto", {"exact_up_to": -1}),
        ("annoy", {"trees": 0}),
        ("annoy", {"recall": 1.5}),
        ("auto", {"probed_most": 2.0}),
        ("exact", {"screened_from": -1}),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.index_builder(Choice(name, parameters))


@pytest.mark.parametrize("unequal", [False, True], ids=["equal norms", "unequal norms"])
def test_restored_from_its_columns_it_answers_the_same(
    builder: IndexBuilder, unequal: bool
) -> None:
    indexed = targets(unequal=unequal)
    indexed[::7] = 0
    built = builder.build(indexed)
    restored = builder.restore(indexed, built.columns())
    queries = targets(unequal=False)[:300]
    one, two = built.search(queries, 20), restored.search(queries, 20)
    assert (one.rows == two.rows).all()
    assert (one.scores == two.scores).all()
