"""Best sellers of the shop and of each category."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.neighbours import NONE
from recommender.ranking.best_sellers import BestSellers
from tests.support.shops import catalogue

counts = st.lists(st.integers(0, 3), min_size=12, max_size=12)


def of(sold: list[int], *, allowed: list[bool] | None = None, depth: int = 100) -> BestSellers:
    """Twelve items in categories of five, every tenth without one, and item 3 out of stock."""
    paths = tuple("" if row % 10 == 9 else f"Shelf {row // 5}" for row in range(12))
    items = dataclasses.replace(catalogue(12), category=paths, in_stock=np.arange(12) != 3)
    listed = np.ones(12, dtype=bool) if allowed is None else np.array(allowed)
    return BestSellers.of(items, np.array(sold, dtype=np.float64), listed, depth)


@given(sold=counts, allowed=st.lists(st.booleans(), min_size=12, max_size=12))
def test_only_what_sold_may_be_listed_and_is_there_best_first(
    sold: list[int], allowed: list[bool]
) -> None:
    found = of(sold, allowed=allowed).shop.tolist()
    sellers = [row for row in range(12) if sold[row] and allowed[row] and row != 3]
    assert found == sorted(sellers, key=lambda row: (-sold[row], row))


@given(sold=counts, k=st.integers(1, 6))
def test_behind_a_list_come_those_of_the_category_and_then_those_of_the_shop(
    sold: list[int], k: int
) -> None:
    best = of(sold)
    found = best.behind(np.arange(12, dtype=np.int32), k)
    assert found.shape == (12, 2 * k)
    for row, (own, shop) in enumerate(zip(found[:, :k], found[:, k:], strict=True)):
        shelf = [] if row % 10 == 9 else [one for one in best.shop.tolist() if one // 5 == row // 5]
        shelf = [one for one in shelf if one % 10 != 9]
        assert own[own != NONE].tolist() == shelf[:k]
        assert shop[shop != NONE].tolist() == best.shop[:k].tolist()


def test_the_depth_bounds_the_shop_and_not_the_shelves() -> None:
    best = of([1] * 12, depth=2)
    assert best.shop.tolist() == [0, 1]
    assert best.behind(np.array([0], dtype=np.int32), 5)[0, :5].tolist() == [0, 1, 2, 4, NONE]
    assert best.longest == 4


def test_without_any_sale_there_is_none() -> None:
    best = of([0] * 12)
    assert best.longest == 1
    assert (best.behind(np.arange(12, dtype=np.int32), 3) == NONE).all()
