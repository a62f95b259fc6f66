import numpy as np
import pytest

from data_fixtures.basket_core import basket_core


def kept_lines(lines: list[tuple[int, int]], least_sales: int) -> list[tuple[int, int]]:
    baskets, items = np.array(lines, dtype=np.int64).T
    kept = basket_core(baskets, items, least_sales)
    return [line for line, keep in zip(lines, kept, strict=True) if keep]


def test_one_rare_item_takes_its_basket_and_what_becomes_rare_by_that() -> None:
    pair_twice = [(0, 0), (0, 1), (1, 0), (1, 1)]
    chain = [(2, 2), (2, 3), (3, 3), (3, 4)]
    assert kept_lines(pair_twice + chain, 2) == pair_twice


def test_baskets_stay_whole_beside_a_basket_that_falls() -> None:
    lines = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 9)]
    assert kept_lines(lines, 2) == lines[:6]


@pytest.mark.parametrize(("least_sales", "n_kept"), [(1, 4), (2, 4), (3, 0)])
def test_all_or_nothing(least_sales: int, n_kept: int) -> None:
    assert len(kept_lines([(0, 0), (0, 1), (1, 0), (1, 1)], least_sales)) == n_kept
