"""Candidates by item vectors: from all items, or those of a brand or category."""

import numpy as np
import pytest

from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from tests.support.candidate_blocks import prepared_generator
from tests.support.shops import (
    checkerboard,
    context,
    interactions,
    labelled,
    random_vectors,
)

N_ITEMS = 20
VECTORS = random_vectors(N_ITEMS)


def test_own_brand_and_own_category_are_proposed_whole() -> None:
    shop = context(VECTORS, checkerboard(N_ITEMS), labelled(N_ITEMS))
    rows = np.array([0, 9], dtype=np.int32)
    found = prepared_generator(Choice("same-brand"), shop).propose(rows, N_ITEMS)
    assert sorted(found.rows[0][found.found[0]].tolist()) == list(range(0, N_ITEMS, 2))
    assert not found.found[1].any()
    by_category = prepared_generator(Choice("same-category"), shop)
    assert sorted(by_category.propose(rows, 5).rows[1].tolist()) == [5, 6, 7, 8, 9]
    nearest = by_category.propose(rows, 3).rows[0].tolist()
    inner = VECTORS.queries[0] @ VECTORS.targets[:5].T
    assert nearest == np.argsort(-inner)[:3].tolist()


def test_by_category_finds_what_a_category_is_bought_with() -> None:
    events = interactions([[0, 11], [1, 12], [0, 12], [3, 16]], N_ITEMS)
    shop = context(VECTORS, events, labelled(N_ITEMS))
    generator = prepared_generator(Choice("by-category", {"categories": 1}), shop)
    found = generator.propose(np.array([2, 19], dtype=np.int32), 5)
    assert sorted(found.rows[0].tolist()) == [10, 11, 12, 13, 14]
    assert sorted(found.rows[1].tolist()) == [0, 1, 2, 3, 4]


def test_by_category_considers_only_the_best_sellers_of_a_category() -> None:
    events = interactions([[0, 11], [1, 11], [0, 12], [12], [13]], N_ITEMS)
    shop = context(VECTORS, events, labelled(N_ITEMS))
    choice = Choice("by-category", {"categories": 1, "members_max": 2})
    found = prepared_generator(choice, shop).propose(np.array([2], dtype=np.int32), 5)
    assert sorted(found.rows[found.found].tolist()) == [11, 12]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("same-category", {"level": -1}, "same-category: level = -1 is below 0"),
        ("by-category", {"categories": 0}, "by-category: categories = 0 is below 1"),
        ("by-category", {"members_max": 0}, "by-category: members_max = 0 is below 1"),
    ],
)
def test_parameters_out_of_range(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepared_generator(Choice(name, parameters), context(VECTORS, checkerboard(N_ITEMS)))


def test_the_nearest_targets_of_the_query_vectors() -> None:
    """Queries and targets differ, so an item need not be nearest to itself."""
    rows = np.array([3, 0, 7], dtype=np.int32)
    generator = prepared_generator(Choice("nearest"), context(VECTORS, checkerboard(N_ITEMS)))
    inner = VECTORS.queries[rows] @ VECTORS.targets.T
    assert (generator.propose(rows, 5).rows == np.argsort(-inner, axis=1)[:, :5]).all()
