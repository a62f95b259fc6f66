import gzip
import io
import os
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from data_fixtures.__main__ import main
from data_fixtures.errors import FixtureDataError
from data_fixtures.online_retail import COLUMNS, N_ROWS, OUTPUT_NAME, import_online_retail

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
LINES = (
    "536365,85123a,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
    'C536379,D,"Discount, NA",-1,2010-12-01 09:41:00,27.50,,United Kingdom\n'
    "581587,00022,NA,12,2011-12-09 12:50:00,0.0,12680.0,France\n"
)
CLEAN = (
    "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
    'C536379,D,"Discount, NA",-1,2010-12-01 09:41:00,27.50,,United Kingdom\n'
    "581587,00022,NA,12,2011-12-09 12:50:00,0.0,12680,France\n"
)


def imported(source: Path, folder: Path, expected_rows: int = 3) -> str:
    assert import_online_retail(source, folder, expected_rows=expected_rows) == expected_rows
    return gzip.decompress((folder / OUTPUT_NAME).read_bytes()).decode()


@pytest.mark.parametrize("name", ["retail.csv", "retail.csv.gz", "without_suffix"])
def test_all_rows_stay_and_ids_are_clean(tmp_path: Path, name: str) -> None:
    text = (HEADER + LINES).encode()
    source = tmp_path / name
    source.write_bytes(text if name.endswith(".csv") else gzip.compress(text))
    assert imported(source, tmp_path / "out") == HEADER + CLEAN


def test_the_first_midnight_is_within_and_the_last_is_not(tmp_path: Path) -> None:
    source = tmp_path / "retail.csv"
    source.write_text(HEADER + LINES.replace("2010-12-01 08:26", "2010-12-01 00:00"))
    assert "2010-12-01 00:00:00" in imported(source, tmp_path / "out")
    source.write_text(HEADER + LINES.replace("2011-12-09 12:50", "2011-12-10 00:00"))
    with pytest.raises(FixtureDataError, match="1 dates such as '2011-12-10 00:00:00'"):
        import_online_retail(source, tmp_path / "late", expected_rows=3)


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    plain, packed = tmp_path / "retail.csv", tmp_path / "retail.csv.gz"
    plain.write_text(HEADER + LINES)
    packed.write_bytes(gzip.compress((HEADER + LINES).encode(), mtime=1))
    imported(plain, tmp_path / "a")
    imported(packed, tmp_path / "b")
    first, second = (tmp_path / out / OUTPUT_NAME for out in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_columns_in_another_order_are_put_in_order(tmp_path: Path) -> None:
    source = tmp_path / "retail.csv"
    frame = pd.read_csv(io.StringIO(HEADER + LINES), dtype=str, keep_default_na=False)
    frame[COLUMNS[::-1]].to_csv(source, index=False)
    assert imported(source, tmp_path / "out") == HEADER + CLEAN


def test_workbook_in_a_zip(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    rows = pd.DataFrame(
        [
            [536365, "85123a", "HEART", 6, pd.Timestamp("2010-12-01 08:26"), 2.55, 17850, "UK"],
            ["C536379", 22, None, -1, pd.Timestamp("2011-12-09 12:50"), 27.5, None, "UK"],
        ],
        columns=COLUMNS,
    )
    workbook = io.BytesIO()
    rows.to_excel(workbook, index=False, engine="openpyxl")
    source = tmp_path / "online_retail.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("Online Retail.xlsx", workbook.getvalue())
    assert imported(source, tmp_path / "out", expected_rows=2) == HEADER + (
        "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,UK\n"
        "C536379,22,,-1,2011-12-09 12:50:00,27.5,,UK\n"
    )


def test_missing_openpyxl_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    source = tmp_path / "online_retail.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("Online Retail.xlsx", b"")
    with pytest.raises(FixtureDataError, match="pip install openpyxl"):
        import_online_retail(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "expected_rows", "message"),
    [
        (HEADER + LINES, 4, "3 rows instead of 4"),
        (HEADER.replace("Country", "Land") + LINES, 3, r"columns .*Land instead of InvoiceNo,"),
        (
            HEADER + LINES.replace("2011-12-09", "2011-12-10"),
            3,
            r"1 dates such as '2011-12-10 12:50:00' not within 2010-12-01\.\.2011-12-09",
        ),
        (HEADER + LINES.replace("2010-12-01 08", "soon 08"), 3, "1 dates such as 'soon 08:26:00'"),
        ("InvoiceNo\n1\n", 1, "Online Retail differs: columns InvoiceNo instead of"),
        ("", 3, "cannot read"),
    ],
)
def test_other_rows_are_refused(
    tmp_path: Path, text: str, expected_rows: int, message: str
) -> None:
    source = tmp_path / "retail.csv"
    source.write_text(text)
    with pytest.raises(FixtureDataError, match=message):
        import_online_retail(source, tmp_path / "out", expected_rows=expected_rows)
    assert not (tmp_path / "out").exists()


def test_unreadable_sources_are_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress((HEADER + LINES * 100).encode())[:-20])
    corrupt = tmp_path / "corrupt.csv.gz"
    corrupt.write_bytes(gzip.compress(b"x")[:10] + b"\xff" * 50)
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w"):
        pass
    for source in (cut, corrupt, empty, tmp_path / "absent.csv", tmp_path):
        with pytest.raises(FixtureDataError, match=source.name):
            import_online_retail(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_the_real_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.environ.get("RECOMMENDER_DATA")
    if folder is None:
        pytest.skip("RECOMMENDER_DATA does not name a folder with the real data")
    source = Path(folder) / "online_retail" / "online_retail.csv.gz"
    assert main(["online-retail", str(source), "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 541,909 invoice lines\n"
    before, after = (
        pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in (source, tmp_path / OUTPUT_NAME)
    )
    assert len(after) == N_ROWS
    for column in sorted(set(COLUMNS) - {"StockCode", "CustomerID"}):
        assert after[column].equals(before[column]), column
    assert (before["StockCode"].nunique(), after["StockCode"].nunique()) == (4_070, 3_958)
    assert (after["CustomerID"] == "").sum() == 135_080
    assert after["CustomerID"].str.fullmatch(r"\d{5}|").all()
