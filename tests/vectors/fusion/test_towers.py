"""Category, brand and price as numbers."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.vectors.fusion.towers import WIDTH, price_scale, side_features


def items(category: list[str], brand: list[str], price: list[float]) -> Catalogue:
    made = Catalogue.of_titles(ItemIds(tuple(map(str, range(len(price))))), ["t"] * len(price))
    return replace(
        made,
        category=tuple(category),
        brand=tuple(brand),
        price=np.array(price, dtype=np.float32),
    )


def test_equal_columns_are_equal_and_shared_levels_are_near() -> None:
    made = items(["A > B", "A > B", "A > C", "D"], ["x", "x", "x", "y"], [1, 1, 1, 1])
    marks = side_features(made, (0, 1))
    assert (marks[0] == marks[1]).all()
    assert marks[0] @ marks[2] > marks[0] @ marks[3]


def test_unknown_columns_are_zero() -> None:
    made = items([""], [""], [float("nan")])
    assert side_features(made, price_scale(made)).tolist() == [[0.0] * WIDTH]


def test_prices_are_logs_around_the_median() -> None:
    made = items([""] * 4, [""] * 4, [1, 10, 100, 0])
    column = side_features(made, price_scale(made))[:, -1]
    assert column[1] == pytest.approx(0, abs=1e-6)
    assert column[0] == pytest.approx(-column[2], abs=1e-5)
    assert column[3] == 0
    assert column[2] > 0


def test_prices_that_are_all_alike_or_absent_have_a_scale() -> None:
    centre, spread = price_scale(items(["", ""], ["", ""], [5, 5]))
    assert (centre, spread) == pytest.approx((np.log(5), 1.0))
    assert price_scale(items([""], [""], [float("nan")])) == (0.0, 1.0)
