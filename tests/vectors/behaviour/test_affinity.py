"""CoPurchaseAffinity: counted where there is something to count, expected where there is not."""

import dataclasses

import numpy as np
import pytest

from recommender.core.arrays import unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.interactions import Interactions
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.popularity import growth
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.ranking.rankers.affinity import Complements, Substitutes
from recommender.ranking.rankers.trending import GrowthScorer
from recommender.vectors.behaviour.affinity import CategoryAffinity, CoPurchaseAffinity
from tests.support.shops import catalogue, interactions

PHONES, CASES, MUGS = range(3), range(3, 6), range(6, 9)
N_ITEMS = 9
BASKETS = [[0, 3], [0, 3], [1, 4], [1, 4], [3], [4], [5], [6, 7], [7], [3, 8]]
"""Phones are bought with the case of their brand; item 2, a phone, and 5, its case, alone."""


def shop(baskets: list[list[int]], texts: np.ndarray | None = None) -> RankingContext:
    brands = ("Acme", "Bolt", "Crux") * 3
    paths = ("Phones",) * 3 + ("Cases",) * 3 + ("Mugs",) * 3
    items: Catalogue = dataclasses.replace(catalogue(N_ITEMS), brand=brands, category=paths)
    given = np.eye(N_ITEMS) if texts is None else texts
    matrix = unit_rows(given.astype(np.float32))
    text = Embeddings.of_rows(matrix, np.ones(N_ITEMS, dtype=np.float32))
    vectors = ItemVectors(matrix, matrix)
    nothing = Neighbours(np.zeros((N_ITEMS, 0), np.int32), np.zeros((N_ITEMS, 0), np.float32))
    events = interactions(baskets, N_ITEMS)
    return RankingContext(items, events, Origins({"text": text}), vectors, lambda: nothing)


def others(row: int) -> tuple[np.ndarray, Neighbours]:
    found = np.array([[other for other in range(N_ITEMS) if other != row]], dtype=np.int32)
    return np.array([row], dtype=np.int32), Neighbours(found, np.ones(found.shape, np.float32))


def test_pairs_by_category_are_those_of_the_baskets() -> None:
    made = shop(BASKETS)
    category, by_category = CategoryAffinity.of(made.catalogue, made.interactions)
    assert category.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    together = by_category.together.toarray()
    assert together.tolist() == [[0, 4, 0], [4, 0, 1], [0, 1, 2]]
    assert by_category.weight.tolist() == [4, 8, 4]
    rates = by_category.rate(np.array([0, 1], np.int32), np.array([1, 0], np.int32))
    assert rates[0] > 0.9
    assert 0.4 < rates[1] < 0.6


def test_brands_stay_together_as_the_pairs_say() -> None:
    made = shop(BASKETS)
    by_category = CoPurchaseAffinity.of(made, made.interactions, 0).by_category
    assert by_category.same_brand > 1.5
    assert by_category.other_brand < 0.75
    apart = shop([[0, 4], [1, 3], [2, 4], [0, 5]])
    assert CoPurchaseAffinity.of(apart, apart.interactions, 0).by_category.same_brand == 1.0


def test_what_never_sold_has_the_company_of_its_like() -> None:
    made = shop(BASKETS)
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(2)
    rates = company.rates(rows, candidates, trusted_at=5.0, nearness=0.5)
    assert candidates.rows[0, rates[0].argmax()] == 5
    assert (rates > 0).all()
    assert (rates < 1).all()


def test_counts_outweigh_what_was_expected_where_there_are_many() -> None:
    made = shop([*BASKETS, *[[0, 7]] * 40])
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(0)
    trusting = company.rates(rows, candidates, trusted_at=1.0, nearness=0.5)
    assert candidates.rows[0, trusting[0].argmax()] == 7
    counted = 40 / (42 + 1.0)
    assert trusting[0, candidates.rows[0] == 7][0] == pytest.approx(counted, abs=0.03)


def test_padding_has_no_rate() -> None:
    made = shop(BASKETS)
    rows = np.array([0], dtype=np.int32)
    padded = Neighbours(np.array([[3, NONE]], np.int32), np.array([[1, -np.inf]], np.float32))
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    assert company.rates(rows, padded, 5.0, 0.5)[0, 1] == 0
    ranked = Complements().prepare(made).rank(rows, padded)
    assert ranked.found.tolist() == [[True, False]]


def test_nothing_bought_and_no_brand_or_category_leaves_text() -> None:
    texts = np.eye(N_ITEMS)
    texts[0, 1] = 0.9
    made = shop([], texts)
    blank = ("",) * N_ITEMS
    made = dataclasses.replace(
        made, catalogue=dataclasses.replace(made.catalogue, brand=blank, category=blank)
    )
    rows, candidates = others(0)
    for ranker in (Complements(), Substitutes()):
        assert ranker.prepare(made).rank(rows, candidates).rows[0, 0] == 1


def test_lift_is_once_where_nothing_was_counted() -> None:
    made = shop(BASKETS)
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(2)
    assert company.lift(rows, candidates).tolist() == [[1.0] * 8]
    rows, candidates = others(0)
    lift = company.lift(rows, candidates)[0]
    assert candidates.rows[0, lift.argmax()] == 3


def test_a_phone_leads_to_a_case_more_than_the_reverse() -> None:
    made = shop(BASKETS)
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(0)
    forward = company.leads(rows, candidates)[0, candidates.rows[0] == 3][0]
    rows, candidates = others(3)
    back = company.leads(rows, candidates)[0, candidates.rows[0] == 0][0]
    assert forward == 1
    assert back < 0.6


def test_growth_is_a_share_of_the_shop_not_its_season() -> None:
    day = 86_400
    steady = [[row] for row in (0, 1)] * 30
    times = np.repeat(np.arange(30), 2) * day
    season = interactions([*steady, *[[0], [1]] * 20], N_ITEMS)
    late = np.concatenate([times, np.full(40, 30 * day)])
    season = dataclasses.replace(season, time=1_700_000_000 + late)
    assert growth(season, 7.0)[:2] == pytest.approx(0, abs=1e-3)
    one_grows = interactions([*steady, *[[0]] * 40], N_ITEMS)
    one_grows = dataclasses.replace(one_grows, time=1_700_000_000 + late)
    grown = growth(one_grows, 7.0)
    assert grown[0] > 0.5
    assert grown[1] < -0.5
    assert (grown[2:] == 0).all()


def test_what_grows_in_the_category_stands_before_what_grows_elsewhere() -> None:
    order = GrowthScorer(
        np.array([0, 1, 9, -3, 2], dtype=np.float32), np.array([0, 0, 1, 0, -1], dtype=np.int32)
    )
    rows = np.array([0, 4], dtype=np.int32)
    found = np.array([[1, 2, 3, 4], [0, 1, 2, 3]], dtype=np.int32)
    ranked = order.rank(rows, Neighbours(found, np.ones(found.shape, np.float32)))
    assert ranked.rows.tolist() == [[1, 2, 4, 3], [2, 1, 0, 3]]
    assert ((ranked.scores > 0) & (ranked.scores <= 1)).all()


def with_views(baskets: list[list[int]], sessions: list[list[int]]) -> Interactions:
    """Purchases by basket, and views by session."""
    bought, viewed = interactions(baskets, N_ITEMS), interactions(sessions, N_ITEMS)

    none = [np.full(len(events), -1, dtype=np.int32) for events in (bought, viewed)]
    return dataclasses.replace(
        bought,
        item=np.concatenate([bought.item, viewed.item]),
        basket=np.concatenate([bought.basket, none[1]]),
        session=np.concatenate([none[0], viewed.basket]),
        user=np.concatenate([bought.user, viewed.user]),
        kind=np.concatenate([bought.kind, viewed.kind + 1]).astype(np.int8),
        time=np.concatenate([bought.time, viewed.time]),
        kinds=("purchase", "view"),
        weights=(1.0, 0.2),
    )


def test_what_is_viewed_together_is_a_choice_and_what_is_bought_is_not() -> None:
    """Items 3 and 4 are bought with 0 as often; 4 and 6 are viewed with it as often."""
    events = with_views([[0, 3], [0, 4]] * 10, [[0, 4], [0, 6]] * 10)
    blank = ("",) * N_ITEMS
    made = shop([])
    items = dataclasses.replace(made.catalogue, brand=blank, category=blank)
    made = dataclasses.replace(made, interactions=events, catalogue=items)
    rows, candidates = others(0)
    complements = Complements().prepare(made).rank(rows, candidates).rows[0].tolist()
    assert complements[:2] == [3, 4]
    substitutes = Substitutes().prepare(made).rank(rows, candidates).rows[0].tolist()
    assert substitutes[:2] == [6, 4]


def test_with_orders_alone_a_substitute_is_near_and_rarely_in_one_basket() -> None:
    """By text 1, 2 and 3 are as near to 0; 3 is in another category, 1 in its baskets."""
    texts = np.eye(N_ITEMS)
    texts[[1, 2, 3], 0] = 2.0
    made = shop([[0, 1]] * 20 + [[2]] * 20 + [[row] for row in range(N_ITEMS)] * 3, texts)
    rows, candidates = others(0)
    ranked = Substitutes().prepare(made).rank(rows, candidates).rows[0].tolist()
    assert ranked[:3] == [2, 1, 3]
