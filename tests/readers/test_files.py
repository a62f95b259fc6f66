import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.blocks import Block
from recommender.readers.files import fingerprint, located
from recommender.readers.row_filter import Screen
from recommender.readers.shop import input_digests
from recommender.readers.sources import CatalogueSource, InteractionSource
from tests.readers.shop_folder import Desk, sold

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
        ("deep/folder.d/a.parquet", "parquet", False),
    ],
)
def test_the_ending_says_the_format(name: str, kind: str, compressed: bool) -> None:
    (file,) = located(name, Path("base"), "interactions.2")
    assert (file.format, file.compressed) == (kind, compressed)
    assert (file.key, file.shown, file.path) == ("interactions.2.0", name, Path("base") / name)


@pytest.mark.parametrize(
    "name", ["a", "a.xlsx", "a.json", "a.gz", "a.txt.gz", "a.parquet.gz", "a.csv.zip", ".csv", ""]
)
def test_another_ending_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ConfigError, match=r"its ending names no known format; use \.csv, \.tsv, "):
        located((name,), Path(), "catalogue")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.gz", "a.parquet"])
def test_a_missing_file_is_named_with_the_place_that_was_looked_at(desk: Desk, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        desk.read(interactions=name)
    assert str(caught.value) == f"{name}: no such file (looked for {desk.folder / name})"
    with pytest.raises(ConfigError, match="no such file"):
        input_digests(desk.source(interactions=name))


def test_a_missing_second_file_is_noticed_before_the_first_is_read(desk: Desk) -> None:
    desk.put("a.csv", "nothing of use")
    with pytest.raises(ConfigError, match=r"b\.csv: no such file"):
        desk.read(interactions=InteractionSource(("a.csv", "b.csv")))


def test_a_folder_is_named(desk: Desk) -> None:
    (desk.folder / "a.csv").mkdir()
    with pytest.raises(ConfigError, match=r"a\.csv is a folder; name the files in it"):
        desk.read(interactions="a.csv")


def test_a_file_that_may_not_be_read_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("a.csv", GOOD)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"a\.csv may not be read by this user; change its mode"):
        desk.read(interactions="a.csv")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_what_is_not_packed_is_named(desk: Desk, name: str) -> None:
    (desk.folder / name).write_text(GOOD)
    with pytest.raises(DataError, match=rf"{name} is no gzip file, or a broken one; deliver it"):
        desk.read(interactions=name)


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
def test_a_broken_gzip_file_is_named(desk: Desk, damage: Callable[[bytes], bytes]) -> None:
    (desk.folder / "a.csv.gz").write_bytes(damage(packed()))
    with pytest.raises(DataError, match=r"a\.csv\.gz: the gzip file is broken .*after line [1-9]"):
        desk.read(interactions="a.csv.gz")


def test_packed_parts_may_follow_one_another(desk: Desk) -> None:
    parts = gzip.compress(b"item_id,order_id\na,1\n") + gzip.compress(b"b,1\n")
    (desk.folder / "a.csv.gz").write_bytes(parts)
    assert sold(desk.read(interactions="a.csv.gz")) == ["a", "b"]


def test_a_fingerprint_is_the_digest_and_the_size(desk: Desk) -> None:
    desk.put("a.csv", GOOD)
    (file,) = located("a.csv", desk.folder, "interactions.0")
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


@pytest.mark.parametrize("change", [grow, rewrite, replace, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_not_used(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    desk.put("a.csv", GOOD)
    kept = Screen.kept

    def kept_and_changed(self: Screen, block: Block, ledger: object) -> object:
        change(desk.folder / "a.csv")
        return kept(self, block, ledger)  # type: ignore[arg-type]

    monkeypatch.setattr(Screen, "kept", kept_and_changed)
    with pytest.raises(DataError, match=r"a\.csv: the file changed while it was read; try again"):
        desk.read(interactions="a.csv")


def test_a_fault_that_comes_from_a_change_is_told_as_the_change(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("a.csv", GOOD)

    def broken(self: Screen, block: Block, ledger: object) -> object:
        grow(desk.folder / "a.csv")
        raise DataError("a row is cut short")

    monkeypatch.setattr(Screen, "kept", broken)
    with pytest.raises(DataError, match="the file changed while it was read") as caught:
        desk.read(interactions="a.csv")
    assert str(caught.value.__cause__) == "a row is cut short"


def test_paths_may_be_absolute(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "c.csv"
    elsewhere.write_text("item_id,title\na,Ant\n")
    assert desk.read(CatalogueSource(str(elsewhere))).catalogue.title == ("Ant",)
