import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.blocks import Block
from recommender.readers.files import fingerprint, input_files
from recommender.readers.row_filter import InteractionRowFilter
from recommender.readers.shop_source import input_digests
from recommender.readers.sources import CatalogueSource, InteractionSource
from tests.readers.shop_folder import Folder, sold

GOOD = "item_id,order_id\na,1\nb,1\n"


@pytest.mark.parametrize(
    ("name", "kind", "compressed"),
    [
        ("a.csv", "csv", False),
        ("A.CSV", "csv", False),
        ("a.2024.csv.gz", "csv", True),
        ("a.tsv.gz", "tsv", True),
        ("a.csv.jsonl", "jsonl", False),
        ("a.ndjson.GZ", "jsonl", True),
        ("a.json", "json", False),
        ("a.txt.gz", "txt", True),
        ("deep/folder.d/a.parquet", "parquet", False),
    ],
)
def test_the_ending_says_the_format(name: str, kind: str, compressed: bool) -> None:
    (file,) = input_files(name, Path("base"), "interactions.2")
    assert (file.format, bool(file.compression)) == (kind, compressed)
    assert (file.key, file.shown, file.path) == ("interactions.2.0", name, Path("base") / name)


@pytest.mark.parametrize("name", ["a", "a.xls", "a.gz", "a.parquet.gz", "a.xlsx.zip", ".csv"])
def test_another_ending_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown file format; use \.csv, \.tsv, "):
        input_files((name,), Path(), "catalogue")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.gz", "a.parquet"])
def test_a_missing_file_is_named_with_the_place_that_was_looked_at(
    folder: Folder, name: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        folder.read(interactions=name)
    assert str(caught.value) == f"{name}: no such file (looked for {folder.path / name})"
    with pytest.raises(ConfigError, match="no such file"):
        input_digests(folder.source(interactions=name))


def test_a_missing_second_file_is_noticed_before_the_first_is_read(folder: Folder) -> None:
    folder.put("a.csv", "nothing of use")
    with pytest.raises(ConfigError, match=r"b\.csv: no such file"):
        folder.read(interactions=InteractionSource(("a.csv", "b.csv")))


def test_a_folder_is_named(folder: Folder) -> None:
    (folder.path / "a.csv").mkdir()
    with pytest.raises(ConfigError, match=r"a\.csv is a folder without a file of a known format"):
        folder.read(interactions="a.csv")


def test_a_file_that_may_not_be_read_is_named(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("a.csv", GOOD)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"a\.csv may not be read by this user; change its perm"):
        folder.read(interactions="a.csv")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_what_is_not_packed_is_named(folder: Folder, name: str) -> None:
    (folder.path / name).write_text(GOOD)
    with pytest.raises(DataError, match=rf"{name}: the compressed file is broken or cut short"):
        folder.read(interactions=name)


def packed() -> bytes:
    text = "item_id,order_id\n" + "".join(f"{n * 7919},{n}\n" for n in range(400_000))
    return gzip.compress(text.encode(), 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) * 2 // 3],
        lambda data: data[:-4],
        lambda data: data[: len(data) // 2] + b"\xff" * 64 + data[len(data) // 2 + 64 :],
        lambda data: data[:-8] + b"\0\0\0\0" + data[-4:],
    ],
    ids=["cut", "trailer cut", "torn", "checksum"],
)
def test_a_broken_gzip_file_is_named(folder: Folder, damage: Callable[[bytes], bytes]) -> None:
    (folder.path / "a.csv.gz").write_bytes(damage(packed()))
    with pytest.raises(DataError, match=r"a\.csv\.gz: the compressed .*\(after line [1-9]"):
        folder.read(interactions="a.csv.gz")


def test_packed_parts_may_follow_one_another(folder: Folder) -> None:
    parts = gzip.compress(b"item_id,order_id\na,1\n") + gzip.compress(b"b,1\n")
    (folder.path / "a.csv.gz").write_bytes(parts)
    assert sold(folder.read(interactions="a.csv.gz")) == ["a", "b"]


def test_a_fingerprint_is_the_digest_and_the_size(folder: Folder) -> None:
    folder.put("a.csv", GOOD)
    (file,) = input_files("a.csv", folder.path, "interactions.0")
    found = fingerprint(file)
    assert found.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert found.size == len(GOOD)


def grow(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"c,1\n")


def rewrite(path: Path) -> None:
    status = path.stat()
    path.write_text(GOOD.replace("b", "c"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replace(path: Path) -> None:
    status = path.stat()
    other = path.with_suffix(".new")
    other.write_text(GOOD.replace("b", "c"))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


@pytest.mark.fault(44)
@pytest.mark.parametrize("change", [grow, rewrite, replace, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_not_used(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    folder.put("a.csv", GOOD)
    kept = InteractionRowFilter.kept_rows

    def kept_and_changed(self: InteractionRowFilter, block: Block, accounting: object) -> object:
        change(folder.path / "a.csv")
        return kept(self, block, accounting)  # type: ignore[arg-type]

    monkeypatch.setattr(InteractionRowFilter, "kept_rows", kept_and_changed)
    with pytest.raises(DataError, match=r"a\.csv: the file changed while it was read; try again"):
        folder.read(interactions="a.csv")


@pytest.mark.fault(44)
def test_a_fault_that_comes_from_a_change_is_reported_as_the_change(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("a.csv", GOOD)

    def broken(self: InteractionRowFilter, block: Block, accounting: object) -> object:
        grow(folder.path / "a.csv")
        raise DataError("a row is cut short")

    monkeypatch.setattr(InteractionRowFilter, "kept_rows", broken)
    with pytest.raises(DataError, match="the file changed while it was read") as caught:
        folder.read(interactions="a.csv")
    assert str(caught.value.__cause__) == "a row is cut short"


def test_paths_may_be_absolute(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "c.csv"
    elsewhere.write_text("item_id,title\na,Ant\n")
    assert folder.read(CatalogueSource(str(elsewhere))).catalogue.title == ("Ant",)


def test_a_format_may_be_given_for_another_ending(folder: Folder) -> None:
    folder.put("a.export", GOOD)
    assert sold(folder.read(interactions=InteractionSource("a.export", format="csv"))) == ["a", "b"]


@pytest.mark.parametrize("path", ["orders-*.csv", "*", "orders"])
def test_a_pattern_and_a_folder_stand_for_files_in_order(folder: Folder, path: str) -> None:
    place = folder.path / "orders" if path == "orders" else folder.path
    place.mkdir(exist_ok=True)
    for name, item in (("orders-2.csv", "b"), ("orders-1.csv", "a")):
        (place / name).write_text(f"item_id,order_id\n{item},1\n")
    if path == "orders":
        (place / "_SUCCESS").write_text("")
    data = folder.read(interactions=path)
    assert sold(data) == ["a", "b"]
    assert [file.name for file in data.report.files] == ["orders-1.csv", "orders-2.csv"]
    assert list(input_digests(folder.source(interactions=path))) == [
        "interactions.0.0",
        "interactions.0.1",
    ]


def test_a_pattern_that_matches_nothing_is_a_missing_file(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=r"orders-\*\.csv: no such file"):
        folder.read(interactions="orders-*.csv")


def test_a_url_is_named(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=r"s3://\*\*\*@shop/a\.csv: only files of this machine"):
        input_files("s3://KEY:SECRET@shop/a.csv", folder.path, "catalogue")
