"""Input files of every format that the readers take, to be damaged."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from openpyxl import Workbook

from recommender.core.telemetry import silent
from recommender.errors import ConfigError, DataError
from recommender.readers.sources import CatalogueColumns, CatalogueSource, InteractionSource
from recommender.vectors.content import word_files
from recommender.vectors.content.vector_file import IDS, VectorFile
from tests.readers.shop_folder import Folder
from tests.support.shops import catalogue

Read = Callable[[Path, bytes], None]
Valid = Callable[[], Sequence[bytes]]
Row = Mapping[str, object]

CATALOGUE: Sequence[Row] = [
    {"item_id": "00123", "title": "Red mug", "price": "12.50", "category": "Home > Mugs, Sale"},
    {"item_id": "7", "title": "Lämpe", "price": "1.299,00", "category": "Home, Garden"},
    {"item_id": "a:b", "title": "Rake", "price": "", "category": ""},
]
ORDERS: Sequence[Row] = [
    {"item_id": item, "order_id": f"o{order}", "title": item, "time": time, "quantity": "2"}
    for order, time in enumerate(("2026-01-02T03:04:05Z", "1767312000", "2026-02-03 10:00"))
    for item in ("00123", "7")
]
NESTED: Row = {"id": 1, "time": "2026-01-02", "items": [{"item_id": "7", "tags": ["a", "b"]}]}
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>
<item><g:item_id>7</g:item_id><g:title>Red mug</g:title><g:price>12.50 EUR</g:price></item>
<item><g:item_id>8</g:item_id><g:title>L&amp;mp</g:title><category>A</category></item>
</channel></rss>
"""
SHEET = "xl/worksheets/sheet1.xml"


def shop_of(name: str, packed: Callable[[bytes], bytes] = bytes) -> Read:
    """Reads a file of this name as a catalogue, then as orders; `packed` makes its bytes."""
    columns = CatalogueColumns(attributes=("category",))

    def read(folder: Path, content: bytes) -> None:
        shop = Folder(folder)
        shop.put(name, packed(content))
        with suppress(ConfigError, DataError):
            shop.read(CatalogueSource(name, columns))
        shop.read(interactions=InteractionSource(name))

    return read


def as_csv(rows: Sequence[Row], delimiter: str = ",") -> bytes:
    """Rows as a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: Sequence[Row]) -> bytes:
    """Rows as a Parquet file."""
    return pd.DataFrame(rows).to_parquet(index=False)


def as_xlsx(rows: Sequence[Row]) -> bytes:
    """Rows as an Excel file."""
    book, content = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in ([*rows[0]], *([*row.values()] for row in rows)):
        sheet.append(row)
    book.save(content)
    return content.getvalue()


def with_sheet(sheet: bytes) -> bytes:
    """An Excel file with this sheet."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(as_xlsx(ORDERS))) as old,
        zipfile.ZipFile(content, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, sheet if name == SHEET else old.read(name))
    return content.getvalue()


def sheets() -> Sequence[bytes]:
    """Sheets of Excel files."""
    found = []
    for rows in (CATALOGUE, ORDERS):
        with zipfile.ZipFile(io.BytesIO(as_xlsx(rows))) as book:
            found.append(book.read(SHEET))
    return found


def as_zip(content: bytes) -> bytes:
    """A zip file of one member."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.csv", content)
    return packed.getvalue()


def word_vectors(name: str) -> Read:
    """Reads a file of word vectors."""

    def read(folder: Path, content: bytes) -> None:
        (folder / name).write_bytes(content)
        words = word_files.read(folder / name)
        assert len(words.words) == len(words.matrix)

    return read


def vectors(name: str) -> Read:
    """Reads a file with a vector per item."""

    def read(folder: Path, content: bytes) -> None:
        path = folder / name
        path.write_bytes(content)
        path.with_suffix(IDS).write_text("i000\ni001\n")
        made = VectorFile(str(path)).embed(catalogue(3), silent)
        assert np.isfinite(made.matrix).all()

    return read


def as_npy(array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    """An array as numpy writes it."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def _json_files() -> Sequence[bytes]:
    lines = "\n".join(map(json.dumps, ORDERS)).encode()
    return [
        lines,
        json.dumps(CATALOGUE, indent=1).encode(),
        *(json.dumps({"data": rows}).encode() for rows in (CATALOGUE, [NESTED])),
        json.dumps([NESTED, NESTED]).encode(),
    ]


def _vector_rows() -> Sequence[Row]:
    return [{"item": f"i00{row}", "vector": [0.5, row, 1.0]} for row in range(3)]


PARQUET = (b"PAR1", b"schema", b"item_id", b"\x15", b"\x19", b"\x1c", b"\x00" * 4)
XML = (
    *(b"<item>", b"</item>", b"<!DOCTYPE a>", b'<?xml encoding="cp1252"?>', b"&#xD800;", b"&a;"),
    *(b"<![CDATA[", b"]]>", b'encoding="utf-7"', b'encoding="rot13"', b"<?", b'xmlns=""'),
)
CELLS = (
    *(b'r="A99999999"', b'r="XFD7"', b'r="ZZZZ1"', b't="s"', b't="b"', b't="d"', b't="e"', b"<v>"),
    *(b"</c>", b"<row>", b'<row r="1048577">', b'<f t="shared" si="0">', b"<is><t>x</t></is>"),
)
TEXT = (
    *(
        b'"',
        b'""',
        b"sep=;\n",
        b'sep="\n',
        b"sep=\r\n",
        b"\r",
        b"\0",
        b"#",
        b"\\N",
        b"NULL",
        b"item_id",
    ),
    *(b"253402300800", b"9999-12-31", b"0001-01-01", b"-1", b"1e308", b"2026-02-30", b"time"),
)
JSON = (
    *(b'"items":', b"[]", b"{}", b"[[", b'{"item_id":', b'"a.b":1', b'"[].x":[{}]', b'"items[]"'),
    *(b"\\ud800", b"NaN", b"Infinity", b"-", b"1e5", b'"":', b"null", b"true", b"// x"),
)
KINDS: Mapping[str, tuple[Read, Valid, Sequence[bytes]]] = MappingProxyType(
    {
        "csv": (
            shop_of("rows.csv"),
            lambda: [as_csv(CATALOGUE), as_csv(ORDERS), as_csv(ORDERS).decode().encode("utf-16")],
            TEXT,
        ),
        "txt": (shop_of("rows.txt"), lambda: [as_csv(ORDERS, ";"), as_csv(CATALOGUE, "|")], TEXT),
        "json": (shop_of("rows.json"), _json_files, JSON),
        "jsonl": (shop_of("rows.jsonl"), _json_files, JSON),
        "parquet": (
            shop_of("rows.parquet"),
            lambda: [as_parquet(CATALOGUE), as_parquet(ORDERS)],
            PARQUET,
        ),
        "xml": (shop_of("rows.xml"), lambda: [FEED.encode()], XML),
        "xlsx": (shop_of("rows.xlsx"), lambda: [as_xlsx(CATALOGUE), as_xlsx(ORDERS)], ()),
        "sheet": (shop_of("rows.xlsx", with_sheet), sheets, CELLS),
        "gz": (shop_of("rows.csv.gz.gz"), lambda: [gzip.compress(as_csv(ORDERS), mtime=0)], ()),
        "zip": (shop_of("rows.csv.zip"), lambda: [as_zip(as_csv(ORDERS))], ()),
        "words.bin": (
            word_vectors("words.bin"),
            lambda: [b"2 3\nred " + bytes(12) + b"mug " + b"\0\0\x80\x3f" * 3],
            (b" ", b"\n", b"2 3\n"),
        ),
        "words.vec": (
            word_vectors("words.vec"),
            lambda: [b"2 2\nred 0.5 1\nmug 1e3 -2\n"],
            (b" ", b"\n", b"2 2\n"),
        ),
        "vectors.csv": (
            vectors("v.csv"),
            lambda: [b"item,a,b\ni000,0.5,1\ni001,1,2\n"],
            TEXT,
        ),
        "vectors.npy": (
            vectors("v.npy"),
            lambda: [as_npy(np.eye(2, 3, dtype=np.float32))],
            (b"descr", b"'|O'", b"'<f8'", b"fortran_order", b"shape", b"(2, 3)", b"True", b"{"),
        ),
        "vectors.parquet": (vectors("v.parquet"), lambda: [as_parquet(_vector_rows())], PARQUET),
    }
)
"""By name: the reader, its valid files, and words to put into them."""
