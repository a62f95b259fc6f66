"""Compressed inputs, and files that unpack to more than they may."""

import gzip
import io
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers import compression
from tests.readers.shop_folder import Folder, sold

ORDERS = b"item_id,order_id\na,1\nb,1\n"
FEED = b"<rss><channel><item><item_id>a</item_id><title>Ant</title></item></channel></rss>"


def zipped(*names: str, content: bytes = ORDERS) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return stream.getvalue()


def zstandard(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, "zstd", asbytes=True)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard,
    "zip": lambda content: zipped("a.csv", content=content),
}


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_files_are_read(folder: Folder, ending: str) -> None:
    (folder.path / f"a.csv.{ending}").write_bytes(PACKERS[ending](ORDERS))
    (folder.path / f"c.xml.{ending}").write_bytes(PACKERS[ending](FEED))
    data = folder.read(f"c.xml.{ending}", f"a.csv.{ending}")
    assert sold(data) == ["a", "b"]
    assert data.catalogue.title[0] == "Ant"


def test_a_zip_file_has_the_format_of_the_file_in_it(folder: Folder) -> None:
    (folder.path / "orders.zip").write_bytes(zipped("out/orders.csv", "__MACOSX/._orders.csv"))
    assert sold(folder.read(interactions="orders.zip")) == ["a", "b"]


@pytest.mark.parametrize("names", [(), ("a.csv", "b.csv")])
def test_a_zip_file_with_none_or_several_files_is_named(
    folder: Folder, names: tuple[str, ...]
) -> None:
    (folder.path / "a.csv.zip").write_bytes(zipped(*names))
    with pytest.raises(ConfigError, match=rf"a\.csv\.zip: has {len(names)} files, and one is read"):
        folder.read(interactions="a.csv.zip")


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("damage", ["not packed", "cut"])
def test_a_broken_file_is_named(folder: Folder, ending: str, damage: str) -> None:
    whole = PACKERS[ending](b"item_id,order_id\n" + b"".join(b"%d,1\n" % n for n in range(9999)))
    (folder.path / f"a.csv.{ending}").write_bytes(ORDERS if damage == "not packed" else whole[:-99])
    with pytest.raises(DataError, match=rf"a\.csv\.{ending}: the compressed file is broken or cut"):
        folder.read(interactions=f"a.csv.{ending}")


@pytest.mark.parametrize("ending", PACKERS)
def test_a_bomb_is_refused(folder: Folder, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = PACKERS[ending](b"item_id,order_id\n" + b"a,1\n" * 100_000)
    (folder.path / f"a.csv.{ending}").write_bytes(bomb)
    assert len(folder.read(interactions=f"a.csv.{ending}").interactions) == 100_000
    monkeypatch.setattr(compression, "SMALL", 1_000)
    said = rf"a\.csv\.{ending}: unpacks to more than 200 times its {len(bomb):,} bytes; if that is"
    with pytest.raises(DataError, match=said):
        folder.read(interactions=f"a.csv.{ending}")


@pytest.mark.fault(43)
def test_a_zip_file_with_a_broken_name_or_method_is_refused(folder: Folder) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("\u00f6rders.csv", "item_id,order_id\n1,2\n" * 50)
    content = packed.getvalue()
    for name, damaged in {
        "name.csv.zip": content.replace("\u00f6".encode(), b"\xff\xfe"),
        "lzma.csv.zip": content[:60] + bytes([content[60] ^ 255]) + content[61:],
    }.items():
        folder.put(name, damaged)
        with pytest.raises(DataError, match="the compressed file is broken"):
            folder.read(interactions=name)


def test_a_compressed_file_without_its_ending_is_read(folder: Folder) -> None:
    folder.put("o.csv", gzip.compress(b"item_id,order_id\na,1\nb,1\n"))
    assert sold(folder.read(interactions="o.csv")) == ["a", "b"]
