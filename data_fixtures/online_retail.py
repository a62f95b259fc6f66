"""UCI Online Retail, the invoice lines of a UK gift wholesaler.

D. Chen, S. L. Sain, K. Guo (2012), UCI Machine Learning Repository, doi 10.24432/C5BW33, CC BY 4.0.
"""

import zipfile
import zlib
from datetime import date
from pathlib import Path

import pandas as pd

from data_fixtures.errors import FixtureDataError
from data_fixtures.whole_files import gzip_bytes, write_whole

ARCHIVE_URL = "https://archive.ics.uci.edu/static/public/352/online+retail.zip"
COLUMNS = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]
N_ROWS = 541_909
FIRST_DAY, LAST_DAY = date(2010, 12, 1), date(2011, 12, 9)
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
GZIP_MAGIC = b"\x1f\x8b"
OUTPUT_NAME = "orders.csv.gz"


def import_online_retail(source: Path, folder: Path, *, expected_rows: int = N_ROWS) -> int:
    """Write orders.csv.gz from a CSV, a gzipped CSV, or UCI's zip; return the number of rows.

    All rows stay, as text and in their order; only item and customer ids are brought to one form.
    Raises FixtureDataError where the source is not what UCI publishes.
    """
    rows = read_rows(source)
    check_rows(rows, expected_rows)
    text = with_clean_ids(rows)[COLUMNS].to_csv(index=False, lineterminator="\n")
    write_whole(folder / OUTPUT_NAME, gzip_bytes(text.encode()))
    return len(rows)


def read_rows(source: Path) -> pd.DataFrame:
    """The rows of the source with every value as text; a missing value is empty."""
    try:
        if zipfile.is_zipfile(source):
            return _read_archive(source)
        with source.open("rb") as file:
            is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        return pd.read_csv(
            source, dtype=str, keep_default_na=False, compression="gzip" if is_gzip else None
        )
    except ImportError as error:
        raise FixtureDataError("reading .xlsx needs a package: pip install openpyxl") from error
    except (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise FixtureDataError(f"cannot read {source}: {error}") from error


def check_rows(rows: pd.DataFrame, expected_rows: int) -> None:
    """Raise FixtureDataError with all that differs: columns, number of rows, span of dates."""
    differing = []
    if set(rows.columns) != set(COLUMNS):
        differing.append(f"columns {', '.join(rows.columns)} instead of {', '.join(COLUMNS)}")
    if len(rows) != expected_rows:
        differing.append(f"{len(rows):,} rows instead of {expected_rows:,}")
    if "InvoiceDate" in rows:
        times = pd.to_datetime(rows["InvoiceDate"], format=DATE_FORMAT, errors="coerce")
        end = pd.Timestamp(LAST_DAY) + pd.Timedelta(days=1)
        outside = ~times.between(pd.Timestamp(FIRST_DAY), end, inclusive="left")
        if outside.any():
            example = rows["InvoiceDate"][outside].iloc[0]
            differing.append(
                f"{outside.sum():,} dates such as {example!r} not within {FIRST_DAY}..{LAST_DAY}"
            )
    if differing:
        raise FixtureDataError(f"Online Retail differs: {'; '.join(differing)}")


def with_clean_ids(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with stock codes in upper case and customer ids as whole numbers."""
    return rows.assign(
        StockCode=rows["StockCode"].str.upper(),
        CustomerID=rows["CustomerID"].str.removesuffix(".0"),
    )


def _read_archive(source: Path) -> pd.DataFrame:
    """The rows of the one workbook in a zip, as UCI packs it."""
    with zipfile.ZipFile(source) as archive:
        workbooks = [name for name in archive.namelist() if name.lower().endswith(".xlsx")]
        if len(workbooks) != 1:
            raise FixtureDataError(f"{source} holds {len(workbooks)} .xlsx files instead of one")
        with archive.open(workbooks[0]) as workbook:
            return pd.read_excel(workbook, dtype=str, keep_default_na=False, engine="openpyxl")
