import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from recommender.core.telemetry import silent
from recommender.readers.assembly import ShopData
from recommender.readers.interactions import HashedUsers
from recommender.readers.shop import read_shop
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import (
    Cancelled,
    CatalogueSource,
    InteractionColumns,
    InteractionSource,
)
from tests.readers.shop_folder import KEY

pytestmark = pytest.mark.data
ENGLAND = "Europe/London"


@pytest.fixture(scope="module")
def online_retail() -> Path:
    folder = os.environ.get("RECOMMENDER_DATA")
    if not folder:
        pytest.skip("RECOMMENDER_DATA names no folder of real data")
    path = Path(folder) / "online_retail" / "online_retail.csv.gz"
    assert path.is_file(), f"RECOMMENDER_DATA is set, but there is no {path}"
    return path


@pytest.fixture(scope="module")
def upper_cased(online_retail: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with its stock codes in capitals, as the importer writes them."""
    path = tmp_path_factory.mktemp("online_retail") / "online_retail.csv"
    with gzip.open(online_retail, "rt", newline="") as packed, path.open("w", newline="") as plain:
        rows = csv.reader(packed)
        writer = csv.writer(plain)
        header = next(rows)
        writer.writerow(header)
        code = header.index("StockCode")
        writer.writerows([*row[:code], row[code].upper(), *row[code + 1 :]] for row in rows)
    return path


def read(path: Path, folder: Path) -> ShopData:
    events = InteractionSource(
        path=str(path),
        columns=InteractionColumns(
            item="StockCode",
            basket="InvoiceNo",
            user="CustomerID",
            time="InvoiceDate",
            quantity="Quantity",
            price="UnitPrice",
            title="Description",
        ),
        quantity_above=0,
        price_above=0,
        cancelled=Cancelled("InvoiceNo", "^C"),
        item_pattern=r"\d{5}",
        time_zone=ENGLAND,
    )
    source = ShopSource(CatalogueSource(), (events,), refused_share_max=0.0)
    quarantine = folder / "quarantine.jsonl"
    data = read_shop(source, HashedUsers(KEY), quarantine=quarantine, progress=silent)
    assert not quarantine.exists()
    return data


def pairs(data: ShopData) -> int:
    """Categorical pairs of basket and item."""
    events = data.interactions
    return len(np.unique(events.basket.astype(np.int64) * len(data.catalogue) + events.item))


def test_online_retail_has_the_known_counts(upper_cased: Path, tmp_path: Path) -> None:
    data = read(upper_cased, tmp_path)
    (file,) = data.report.files
    assert file.rows == 541_909
    assert file.refused == {}
    assert file.left_out["cancelled"] == 9_288
    assert data.report.n_items == len(data.catalogue) == 3_791
    assert pairs(data) == 517_254
    assert len(np.unique(data.interactions.basket)) == data.interactions.basket.max() + 1 == 19_773
    assert data.report.cold_items == data.report.shortened == 0
    assert data.catalogue.title[data.catalogue.ids.row("85123A")] == (
        "WHITE HANGING HEART T-LIGHT HOLDER"
    )


def test_ids_that_differ_in_case_are_two_items(online_retail: Path, tmp_path: Path) -> None:
    data = read(online_retail, tmp_path)
    assert data.report.n_items == 3_900
    assert pairs(data) == 517_256
    assert "85123A" in data.catalogue.ids
    assert "85123a" in data.catalogue.ids
