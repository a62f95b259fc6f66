from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.readers.values import Categorical, numbers, truth_values


@pytest.mark.parametrize("of", [Categorical.of, Categorical.of_many])
def test_distinct_texts_are_stripped_and_stand_by_first_appearance(
    of: Callable[[np.ndarray], Categorical],
) -> None:
    cells = np.array(["b", " a", "b", "NA", ""], dtype=object)
    distinct = of(cells)
    assert distinct.texts == ("b", "a", "NA", "")
    assert distinct.codes.tolist() == [0, 1, 0, 2, 3]
    assert distinct.where([True, False, False, True]).tolist() == [True, False, True, False, True]


AMOUNTS = [
    ("6,37", 6.37),
    ("1.234,56 €", 1234.56),
    ("6.37 EUR", 6.37),
    ("$1,299.00", 1299.0),
    ("1 299,00 kr", 1299.0),
    ("EUR 12", 12.0),
    ("CHF 1'299.00", 1299.0),
    ("1,299", 1299.0),
    ("1 000", 1000.0),
    ("1,00,000", 100_000.0),
    ("12.500", 12.5),
    ("-5,5", -5.5),
    ("\u22123", -3.0),
    ("12-", -12.0),
]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("-2.5", -2.5), ("+3", 3.0), (".5", 0.5), ("7.", 7.0), ("1e3", 1000.0), *AMOUNTS],
)
def test_numbers(text: str, value: float) -> None:
    values, faults = numbers([text], "price")
    assert (values.tolist(), faults) == ([value], [""])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "on request",
        "1,2,3",
        "1.2.3",
        "1_000",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e39",
        "0x10",
        "٣",
        "1e",
        "--1",
    ],
)
def test_what_is_no_number(text: str) -> None:
    values, faults = numbers([text], "price")
    assert np.isnan(values).all()
    assert faults == ["price is not a number"]


def test_an_empty_number_is_called_empty() -> None:
    assert numbers([""], "quantity")[1] == ["quantity is empty"]


@given(st.floats(allow_nan=False, width=32).filter(np.isfinite))
def test_every_finite_float32_is_a_number(value: float) -> None:
    values, faults = numbers([repr(value)], "price")
    assert (values.tolist(), faults) == ([value], [""])


def test_flags() -> None:
    yes = ["true", "True", "T", "1", "yes", "Y", "12", "0.5", ""]
    no = ["false", "FALSE", "f", "0", "no", "n", "-1", "0.0"]
    assert truth_values(yes, "in_stock")[0].all()
    assert not truth_values(no, "in_stock")[0].any()
    assert truth_values([*yes, *no], "in_stock")[1] == [""] * len(yes + no)
    assert (
        truth_values(["maybe", "nan"], "in_stock")[1] == ["in_stock is neither true nor false"] * 2
    )


def test_a_point_separates_thousands_where_another_number_has_a_decimal_comma() -> None:
    assert numbers(["1.299", "12,50", "2.5"], "price")[0].tolist() == [1299, 12.5, 2.5]
    assert numbers(["1.299", "12.50"], "price")[0].tolist() == [1.299, 12.5]
    assert numbers(["1.299"], "price", ",")[0].tolist() == [1299]
    assert numbers(["1,299"], "price", ",")[0].tolist() == [1.299]


def test_stock_words() -> None:
    yes = ["in stock", "In Stock", "instock", "in_stock", "onbackorder", "backorder", "preorder"]
    no = ["out of stock", "outofstock", "OUT_OF_STOCK", "sold out", "discontinued"]
    assert truth_values([*yes, "https://schema.org/InStock"], "in_stock")[0].all()
    assert not truth_values([*no, "https://schema.org/OutOfStock"], "in_stock")[0].any()
    assert truth_values([*yes, *no], "in_stock")[1] == [""] * len(yes + no)


def test_words_of_a_shop_come_first() -> None:
    words = {"Ja": True, "yes": False}
    assert truth_values(["ja", "YES", "1"], "in_stock", words)[0].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.299,00 €", 1299.0),
        ("EUR 12,50", 12.5),
        ("$1,299", 1299.0),
        ("12.50-", -12.5),
        ("(12.50)", -12.5),
        ("12,- €", 12.0),
        ("CHF 1'299.\u2013", 1299.0),
        ("1 299:- kr", 1299.0),
        ("R$ 1.299,00", 1299.0),
        ("12,50 zł", 12.5),
        ("₹1,29,900.00", 129900.0),
    ],
)
def test_prices_as_shops_write_them(text: str, number: float) -> None:
    assert numbers([text], "price")[0].tolist() == [number]


def test_points_between_thousands_are_known_by_whole_numbers_beside_them() -> None:
    assert numbers(["1.299", "899"], "price")[0].tolist() == [1299.0, 899.0]
    assert numbers(["1.299", "0.899"], "price")[0].tolist() == [1.299, 0.899]
    assert numbers(["1.299", "899.000"], "price")[0].tolist() == [1.299, 899.0]
    assert numbers(["1.299", "899"], "price", ".")[0].tolist() == [1.299, 899.0]


@pytest.mark.parametrize("text", ["12.50 - 15.00", "12.50 USD/EUR", "on request"])
def test_what_is_not_one_price_is_unknown(text: str) -> None:
    assert numbers([text], "price")[1] == ["price is not a number"]
