"""Filters by price."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given

from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.core.recipe import Choice
from recommender.core.vectors import ItemVectors
from tests.support.candidate_blocks import Block, blocks_of_candidates, pairs, prepared_filter
from tests.support.shops import catalogue, context, interactions


@given(block=blocks_of_candidates())
def test_price_band_is_relative_to_the_asking_item(block: Block) -> None:
    price = block[2].catalogue.price
    cheaper = Choice("price-band", {"low": 0.5, "high": 0.9})
    for query, before, after in pairs(cheaper, block):
        own = price[query]
        assert after == [
            row
            for row in before
            if own > 0 and price[row] > 0 and 0.5 * own <= price[row] <= 0.9 * own
        ]


def phones_and_cases(prices: list[float]) -> RankingContext:
    """Items 0 and 1 are phones, 2 and 3 cases; phones lead to cases, which are bought alone too."""
    items = dataclasses.replace(
        catalogue(4),
        category=("Phones", "Phones", "Cases", "Cases"),
        price=np.array(prices, dtype=np.float32),
    )
    baskets = [*[[0, 2], [1, 3]] * 5, *[[2], [3]] * 20]
    vectors = np.eye(4, dtype=np.float32)
    return context(ItemVectors(vectors, vectors), interactions(baskets, 4), items)


@pytest.mark.parametrize(
    ("prices", "query", "kept"),
    [
        ([500, 500, 20, 20], 0, [1, 2, 3]),
        ([500, 500, 20, 20], 2, [3]),
        ([30, 500, 20, 20], 2, [0, 3]),
        ([np.nan, 500, 20, 20], 2, [0, 3]),
        ([20, 500, 20, 20], 0, [1, 2, 3]),
    ],
    ids=[
        "a phone leads to cases",
        "a case to no phone",
        "unless it is cheap",
        "or has no price",
        "or is of the same category",
    ],
)
def test_one_way_drops_what_the_asking_item_is_an_accessory_of(
    prices: list[float], query: int, kept: list[int]
) -> None:
    shop = phones_and_cases(prices)
    rows = np.array([[row for row in range(4) if row != query]], dtype=np.int32)
    candidates = Neighbours(rows, np.ones(rows.shape, dtype=np.float32))
    asking = np.array([query], dtype=np.int32)
    mask = prepared_filter(Choice("one-way"), shop).keep(asking, candidates)
    assert rows[mask].tolist() == kept
