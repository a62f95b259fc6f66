"""CoPurchaseAffinity: counted where there is something to count, expected where there is not."""

import numpy as np
import pytest

from recommender.core.neighbours import NONE, Neighbours
from recommender.vectors.behaviour.affinity import CategoryAffinity, CoPurchaseAffinity
from tests.support.phone_shop import BASKETS, others, phone_shop


def test_pairs_by_category_are_those_of_the_baskets() -> None:
    made = phone_shop(BASKETS)
    category, by_category = CategoryAffinity.of(made.catalogue, made.interactions)
    assert category.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    together = by_category.together.toarray()
    assert together.tolist() == [[0, 4, 0], [4, 0, 1], [0, 1, 2]]
    assert by_category.weight.tolist() == [4, 8, 4]
    rates = by_category.rate(np.array([0, 1], np.int32), np.array([1, 0], np.int32))
    assert rates[0] > 0.9
    assert 0.4 < rates[1] < 0.6


def test_brands_stay_together_as_the_pairs_say() -> None:
    made = phone_shop(BASKETS)
    by_category = CoPurchaseAffinity.of(made, made.interactions, 0).by_category
    assert by_category.same_brand > 1.5
    assert by_category.other_brand < 0.75
    apart = phone_shop([[0, 4], [1, 3], [2, 4], [0, 5]])
    assert CoPurchaseAffinity.of(apart, apart.interactions, 0).by_category.same_brand == 1.0


def test_what_never_sold_has_the_company_of_its_like() -> None:
    made = phone_shop(BASKETS)
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(2)
    rates = company.rates(rows, candidates, trusted_at=5.0, nearness=0.5)
    assert candidates.rows[0, rates[0].argmax()] == 5
    assert (rates > 0).all()
    assert (rates < 1).all()


def test_counts_outweigh_what_was_expected_where_there_are_many() -> None:
    made = phone_shop([*BASKETS, *[[0, 7]] * 40])
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(0)
    trusting = company.rates(rows, candidates, trusted_at=1.0, nearness=0.5)
    assert candidates.rows[0, trusting[0].argmax()] == 7
    counted = 40 / (42 + 1.0)
    assert trusting[0, candidates.rows[0] == 7][0] == pytest.approx(counted, abs=0.03)


def test_padding_has_no_rate() -> None:
    made = phone_shop(BASKETS)
    rows = np.array([0], dtype=np.int32)
    padded = Neighbours(np.array([[3, NONE]], np.int32), np.array([[1, -np.inf]], np.float32))
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    assert company.rates(rows, padded, 5.0, 0.5)[0, 1] == 0


def test_lift_is_once_where_nothing_was_counted() -> None:
    made = phone_shop(BASKETS)
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(2)
    assert company.lift(rows, candidates).tolist() == [[1.0] * 8]
    rows, candidates = others(0)
    lift = company.lift(rows, candidates)[0]
    assert candidates.rows[0, lift.argmax()] == 3


def test_a_phone_leads_to_a_case_more_than_the_reverse() -> None:
    made = phone_shop(BASKETS)
    company = CoPurchaseAffinity.of(made, made.interactions, 0)
    rows, candidates = others(0)
    forward = company.leads(rows, candidates)[0, candidates.rows[0] == 3][0]
    rows, candidates = others(3)
    back = company.leads(rows, candidates)[0, candidates.rows[0] == 0][0]
    assert forward == 1
    assert back < 0.6
