"""Embeddings and item vectors check themselves."""

import numpy as np
import pytest

from recommender.core import arrays
from recommender.core.vectors import Embeddings, ItemVectors
from recommender.errors import DataError
from tests.support.shops import random_vectors

UNIT = np.eye(3, dtype=np.float32)
ONES = np.ones(3, dtype=np.float32)
NAN = np.where(UNIT > 0, UNIT, np.float32(np.nan))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((UNIT, ONES[:2]), r"shape \(3, 3\) with support \(2,\)"),
        ((UNIT[0], ONES), r"shape \(3,\) with support"),
        ((NAN, ONES), "embeddings"),
        ((UNIT, np.array([1, 0, 1], np.float32)), "support is 0 exactly where the row is zero"),
        ((UNIT * np.float32(0), ONES), "support is 0 exactly where the row is zero"),
        ((UNIT, ONES, UNIT[:2]), r"targets \(2, 3\), \(3, 3\)"),
        ((UNIT, ONES, NAN), "embeddings' targets"),
    ],
)
def test_embeddings_that_may_not_be(parts: tuple[np.ndarray, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Embeddings(*parts)


def test_support_and_rows_are_made_to_agree() -> None:
    """A model may leave noise without data, and find nothing in data."""
    rows = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32)
    made = Embeddings.of_rows(rows, np.array([2, 0, 5], dtype=np.float32))
    assert made.matrix.tolist() == [[1, 0], [0, 0], [0, 0]]
    assert made.support.tolist() == [2, 0, 0]


@pytest.mark.parametrize("targets", [None, UNIT * np.float32(2)])
def test_embeddings_come_back_from_their_columns(targets: np.ndarray | None) -> None:
    made = Embeddings(UNIT, ONES, targets)
    again = Embeddings.from_columns(made.columns()).columns()
    assert ("targets" in again) == (targets is not None)
    for name, array in made.columns().items():
        assert (again[name] == array).all()


@pytest.mark.parametrize(
    ("queries", "targets", "bound", "message"),
    [
        (UNIT, UNIT[:2], 1.0, r"item vectors: \(3, 3\) and \(2, 3\)"),
        (ONES, ONES, 1.0, r"item vectors: \(3,\)"),
        (UNIT, UNIT, 0.0, "the bound 0.0 is not positive"),
        (UNIT, UNIT, float("nan"), "the bound nan is not positive"),
        (NAN, UNIT, 1.0, "item vectors"),
        (UNIT, NAN, 1.0, "item vectors' targets"),
    ],
)
def test_item_vectors_that_may_not_be(
    queries: np.ndarray, targets: np.ndarray, bound: float, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ItemVectors(queries, targets, bound)


def test_inner_products_are_those_of_query_and_target_in_every_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = random_vectors(40)
    rng = np.random.default_rng(0)
    monkeypatch.setattr(arrays, "NUMBERS_IN_CACHE", 7 * 3 * vectors.queries.shape[1])
    rows = rng.integers(0, 40, 2 * 7 + 5).astype(np.int32)
    found = rng.integers(0, 40, (len(rows), 3)).astype(np.int32)
    every = vectors.queries @ vectors.targets.T
    assert vectors.inner(rows, found) == pytest.approx(every[rows[:, None], found], abs=1e-5)


def test_item_vectors_come_back_from_their_columns() -> None:
    made = random_vectors(5)
    again = ItemVectors.from_columns(made.columns())
    assert (again.queries == made.queries).all()
    assert (again.targets == made.targets).all()
    assert again.bound == made.bound
