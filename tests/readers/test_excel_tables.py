"""Excel files: the first sheet as a table."""

import sys
from datetime import datetime
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import Workbook

from recommender.errors import DataError, MissingExtra
from recommender.readers import compression
from recommender.readers.sources import CatalogueSource, InteractionSource
from tests.readers.shop_folder import Folder, sold


def put(folder: Path, name: str, *rows: tuple[object, ...]) -> str:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.create_sheet("other").append(["x"])
    book.save(folder / name)
    return name


def test_cells_are_read_as_what_they_hold(folder: Folder) -> None:
    catalogue = put(
        folder.path,
        "c.xlsx",
        ("item_id", " title ", "price", "in_stock"),
        (4006381333931, "Käse", 12.5, True),
        (None, None, None, None),
        ("00123", "Brie", None, False),
    )
    orders = put(
        folder.path,
        "o.xlsx",
        ("item_id", "order_id", "time"),
        (4006381333931, 1, datetime(2026, 1, 2, 3)),
        ("00123", 1, datetime(2026, 1, 2)),
    )
    data = folder.read(catalogue, orders)
    assert data.catalogue.ids.ids == ("00123", "4006381333931")
    assert data.catalogue.title == ("Brie", "Käse")
    assert data.catalogue.price[1] == 12.5
    assert data.catalogue.in_stock.tolist() == [False, True]
    assert sold(data) == ["4006381333931", "00123"]
    assert data.interactions.time.tolist() == [1767322800, 1767312000]


def test_rows_before_the_header_and_values_beyond_it(folder: Folder) -> None:
    rows = ("Export", None), ("item_id", "order_id"), ("a", 1), ("b", 1, "beyond"), ("c", 1)
    put(folder.path, "a.xlsx", *rows)
    data = folder.read(interactions=InteractionSource("a.xlsx", skip_lines=1))
    assert sold(data) == ["a", "c"]
    assert [(row["line"], row["reason"]) for row in folder.refused()] == [
        (4, "3 fields, 2 expected")
    ]
    put(folder.path, "b.xlsx", ("a", 1))
    named = InteractionSource("b.xlsx", header=("item_id", "order_id"))
    assert sold(folder.read(interactions=named)) == ["a"]


@pytest.mark.parametrize("content", [b"", b"PK", b"\xd0\xcf\x11\xe0 an encrypted or old one"])
def test_what_is_no_excel_file_is_named(folder: Folder, content: bytes) -> None:
    folder.put("a.xlsx", content)
    with pytest.raises(DataError, match=r"a\.xlsx is not an \.xlsx file, or a broken or protected"):
        folder.read(interactions="a.xlsx")


def test_an_empty_sheet_is_named(folder: Folder) -> None:
    put(folder.path, "c.xlsx")
    with pytest.raises(DataError, match=r"c\.xlsx: the first sheet is empty"):
        folder.read(CatalogueSource("c.xlsx"))


def test_a_bomb_is_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder.path, "a.xlsx", ("item_id", "order_id"), *[("a", 1)] * 5000)
    monkeypatch.setattr(compression, "SMALL", 1)
    monkeypatch.setattr(compression, "RATIO", 2)
    with pytest.raises(DataError, match=r"a\.xlsx: unpacks to more than 2 times"):
        folder.read(interactions="a.xlsx")


def test_a_missing_extra_is_named(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder.path, "a.xlsx", ("item_id", "order_id"))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtra, match=r"pip install 'recommender\[excel\]'"):
        folder.read(interactions="a.xlsx")


@pytest.mark.fault(80)
def test_a_row_far_beyond_a_sheet_is_refused(folder: Folder) -> None:
    put(folder.path, "o.xlsx", ("item_id", "order_id"), ("a", "o1"))
    sheet = "xl/worksheets/sheet1.xml"
    with ZipFile(folder.path / "o.xlsx") as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts[sheet] = parts[sheet].replace(b'<row r="2"', b'<row r="999999999"')
    with ZipFile(folder.path / "o.xlsx", "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    with pytest.raises(DataError, match=r"o\.xlsx: more than 1,048,576 rows"):
        folder.read(interactions="o.xlsx")


@pytest.mark.parametrize("fault", [TypeError, AttributeError, IndexError, NotImplementedError])
def test_whatever_openpyxl_raises_is_a_broken_file(
    folder: Folder, fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **_options: object) -> None:
        raise fault("of openpyxl")

    put(folder.path, "o.xlsx", ("item_id", "order_id"), ("a", "o1"))
    monkeypatch.setattr("openpyxl.load_workbook", broken)
    with pytest.raises(DataError, match="broken or protected"):
        folder.read(interactions="o.xlsx")
