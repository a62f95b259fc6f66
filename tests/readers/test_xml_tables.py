"""Feeds, whole and broken. What is read of them is in tests/settings/test_presets.py."""

import gzip

import pytest

from recommender.errors import DataError
from recommender.readers import xml_tables
from recommender.readers.sources import CatalogueColumns, CatalogueSource
from tests.readers.shop_folder import Folder

SOURCE = CatalogueSource(path="feed.xml", columns=CatalogueColumns(item="id"))
BOMB = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<rss><item><id>1</id><title>&b;</title></item></rss>"""


def feed(*items: str) -> str:
    return "<rss><channel>" + "".join(f"<item>{each}</item>" for each in items) + "</channel></rss>"


def titles(
    folder: Folder, content: str | bytes, source: CatalogueSource = SOURCE
) -> dict[str, str]:
    folder.put(str(source.path), content)
    items = folder.read(source).catalogue
    return dict(zip(items.ids, items.title, strict=True))


def test_items_are_rows_and_their_elements_columns(folder: Folder) -> None:
    content = feed(
        "<id>1</id><title>A &amp; <b>B</b>C</title>",
        "<id>2</id><shipping><title>no</title></shipping><title/><title>Second</title>",
        "<id>3</id>",
    )
    assert titles(folder, content) == {"1": "A & C", "2": "Second", "3": ""}


def test_bytes_are_decoded_as_the_feed_says(folder: Folder) -> None:
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    content = (head + feed("<id>1</id><title>Käse</title>")).encode("latin-1")
    assert titles(folder, content) == {"1": "Käse"}
    assert titles(folder, content, CatalogueSource("feed.xml.gz", SOURCE.columns)) == {"1": "Käse"}


def test_a_feed_of_many_items_is_read_in_parts(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml_tables, "_CHUNK", 100)
    monkeypatch.setattr(xml_tables, "NAMING_ROWS", 3)
    content = feed(*(f"<id>{number}</id><title>T{number}</title>" for number in range(500)))
    assert len(titles(folder, content)) == 500


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (BOMB, "document type, which is refused"),
        ("<rss><item><id>1</id>", "is not XML"),
        ("id,title", "is not XML"),
        ("<rss><channel/></rss>", "no <item>, <entry>"),
        (feed(f"<id>1</id><title>{'x' * 200}</title>"), "longer than 100 characters"),
    ],
)
def test_what_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, content: str, reported: str
) -> None:
    monkeypatch.setattr(xml_tables, "MAX_LINE", 100)
    with pytest.raises(DataError, match=reported):
        titles(folder, content)


def test_a_broken_gzip_file_is_named(folder: Folder) -> None:
    whole = gzip.compress(feed("<id>1</id>").encode())
    (folder.path / "feed.xml.gz").write_bytes(whole[:-12])
    with pytest.raises(DataError, match="broken or cut short"):
        folder.read(CatalogueSource("feed.xml.gz", SOURCE.columns))


@pytest.mark.fault(43)
@pytest.mark.parametrize("encoding", ["nonsense", "utf-7", "cp932", "rot13", "idna"])
def test_an_encoding_that_is_not_read_is_named(folder: Folder, encoding: str) -> None:
    folder.put("f.xml", f'<?xml version="1.0" encoding="{encoding}"?><item><title>x</title></item>')
    with pytest.raises(DataError, match=r"f\.xml is not XML: .*; export it again"):
        folder.read("f.xml")


@pytest.mark.parametrize(
    "feed",
    [
        "<products><product><item_id>a</item_id><title>A</title></product></products>",
        "<SHOP><SHOPITEM><item_id>a</item_id><title>A</title></SHOPITEM></SHOP>",
        "<yml_catalog><shop><offers><offer item_id='a'><title>A</title></offer></offers></shop>"
        "</yml_catalog>",
    ],
)
def test_other_dialects_of_feeds(folder: Folder, feed: str) -> None:
    folder.put("c.xml", feed)
    data = folder.read("c.xml")
    assert (data.catalogue.ids.ids, data.catalogue.title) == (("a",), ("A",))
