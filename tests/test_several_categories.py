"""Where an item's further categories count: filters, candidates, rankers, fusion, rules, search."""

import dataclasses

import numpy as np
import pytest

from recommender.core.neighbours import Neighbours
from recommender.core.recipe import Choice
from recommender.insights.search import Filters
from recommender.merchandising.matching import Shelves
from recommender.merchandising.rule_set import Selection
from recommender.ranking.best_sellers import BestSellers
from recommender.ranking.rankers.pair_features import Features
from recommender.ranking.rankers.trending import TrendingRanker
from recommender.registry import item_filter
from recommender.vectors.fusion.towers import side_features
from tests.support.candidate_blocks import prepared_generator
from tests.support.shops import catalogue, context, interactions, random_vectors

N_ITEMS = 4
ITEMS = dataclasses.replace(
    catalogue(N_ITEMS),
    category=("Garden > Tools", "Garden > Pots", "Sale", "Kitchen"),
    other_categories=("Sale", "Gifts\nKitchen", "", ""),
)
ROWS = np.arange(N_ITEMS, dtype=np.int32)
EVERY = Neighbours(np.tile(ROWS, (N_ITEMS, 1)), np.ones((N_ITEMS, N_ITEMS), dtype=np.float32))
SHARED = [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
SHOP = context(random_vectors(N_ITEMS), interactions([[0], [1], [2], [3]] * 2, N_ITEMS), ITEMS)


@pytest.mark.parametrize(("name", "same"), [("same-category", True), ("other-category", False)])
def test_filters(name: str, same: bool) -> None:
    kept = item_filter(Choice(name)).prepare(SHOP).keep(ROWS, EVERY)
    assert kept.tolist() == (np.array(SHARED, dtype=bool) == same).tolist()


def test_places_without_a_candidate_are_dropped() -> None:
    missing = Neighbours(
        np.full((N_ITEMS, 2), -1, dtype=np.int32), np.zeros((N_ITEMS, 2), dtype=np.float32)
    )
    items = dataclasses.replace(ITEMS, other_categories=("Sale", "Gifts\nKitchen", "", "Sale"))
    shop = dataclasses.replace(SHOP, catalogue=items)
    assert not item_filter(Choice("same-category")).prepare(shop).keep(ROWS, missing).any()


def test_candidates_and_best_sellers_have_members_of_any() -> None:
    proposed = prepared_generator(Choice("same-category"), SHOP).propose(ROWS[2:], 4).rows
    assert [sorted(set(each) - {-1}) for each in proposed.tolist()] == [[0, 2], [1, 3]]
    best = BestSellers.of(ITEMS, np.array([1.0, 4, 3, 2]), np.ones(N_ITEMS, dtype=bool))
    assert best.behind(ROWS[2:], 2)[:, :2].tolist() == [[2, 0], [1, 3]]


def test_rankers() -> None:
    names, values = Features.of(SHOP).table(ROWS, EVERY)
    same = values[:, list(names).index("same category")].reshape(N_ITEMS, N_ITEMS)
    assert same.tolist() == SHARED
    trending = TrendingRanker().prepare(SHOP)
    assert (
        trending.categories.shared(ROWS[:, None], ROWS).tolist() == np.array(SHARED, bool).tolist()
    )


def test_fusion_rules_and_search() -> None:
    sides = side_features(ITEMS, (0.0, 1.0))
    assert sides[0] @ sides[2] > sides[0] @ sides[3]
    shelves = Shelves(ITEMS)
    for path, rows in (("Sale", [0, 2]), ("Kitchen", [1, 3]), ("Garden", [0, 1]), ("Gifts", [1])):
        assert shelves.rows(Selection(categories=(path,))).tolist() == rows
        assert np.flatnonzero(Filters(category=path).allowed(ITEMS)).tolist() == rows
