"""Copies of inputs that lie elsewhere: replaced whole, and only where they changed."""

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers import fetching
from recommender.readers.fetching import Copies, Origin


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path / "state" / "inputs")


@pytest.fixture
def shop(tmp_path: Path) -> sqlite3.Connection:
    shop = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    shop.execute("create table items (id text, title text)")
    shop.execute("insert into items values ('a', 'Ant'), ('b', 'Bee')")
    return shop


@pytest.fixture
def query(tmp_path: Path, shop: sqlite3.Connection) -> Origin:
    return Origin("catalogue", f"sqlite:///{tmp_path / 'shop.db'}", "select * from items")


def state(copies: Copies, origin: Origin) -> tuple[bytes, int]:
    (_, path), *_ = copies.found(origin)
    return path.read_bytes(), path.stat().st_mtime_ns


def test_a_result_is_copied_anew_only_where_it_changed(
    copies: Copies, query: Origin, shop: sqlite3.Connection
) -> None:
    ((shown, path),) = copies.found(query)
    assert (shown, path.name) == ("catalogue.query", "query.parquet")
    assert copies.folder.stat().st_mode & 0o077 == 0
    before = state(copies, query)
    copies.fetch(query)
    assert state(copies, query) == before
    shop.execute("delete from items where id = 'a'")
    shop.execute("insert into items values ('a', 'Ant')")
    copies.fetch(query)
    assert state(copies, query) == before
    shop.execute("insert into items values ('c', 'Cat')")
    assert state(copies, query) == before
    copies.fetch(query)
    assert state(copies, query) != before
    shop.close()


def test_a_failure_leaves_the_copy_and_nothing_else(
    copies: Copies, query: Origin, shop: sqlite3.Connection
) -> None:
    before = state(copies, query)
    names = sorted(path.name for path in copies.folder.rglob("*"))
    shop.execute("insert into items values ('d', x'ff')")
    with pytest.raises(DataError, match=r"catalogue.query row 3: column 'title' has bytes"):
        copies.fetch(query)
    shop.execute("drop table items")
    with pytest.raises(ConfigError, match="no such table: items"):
        copies.fetch(query)
    assert state(copies, query) == before
    assert sorted(path.name for path in copies.folder.rglob("*")) == names
    shop.close()


def test_a_key_is_free_of_secrets() -> None:
    def key(password: str, query: str = "select 1") -> str:
        return Origin("catalogue", f"postgresql://u:{password}@h/d", query).key

    assert key("one") == key("other") != key("one", "select 2")


def test_files_are_copied_by_their_state(copies: Copies, tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    (folder / "day=1").mkdir(parents=True)
    (folder / "day=1" / "part.csv").write_text("a")
    (folder / "_SUCCESS").write_text("")
    origin = Origin("interactions.0", f"file://{folder}")
    ((shown, path),) = copies.found(origin)
    assert (shown, path.name) == (f"file://{folder}/day=1/part.csv", "part.csv")
    before = state(copies, origin)
    (folder / "day=2").mkdir()
    (folder / "day=2" / "part.csv").write_text("b")
    copies.fetch(origin)
    assert [path.read_text() for _, path in copies.found(origin)] == ["a", "b"]
    assert state(copies, origin) == before
    (folder / "day=1" / "part.csv").unlink()
    copies.fetch(origin)
    assert [path.read_text() for _, path in copies.found(origin)] == ["b"]
    assert not path.exists()
    (folder / "day=2" / "part.csv").write_text("c")
    os.utime(folder / "day=2" / "part.csv", (1, 1))
    copies.fetch(origin)
    assert [path.read_text() for _, path in copies.found(origin)] == ["c"]


def test_a_copy_that_is_gone_is_fetched(copies: Copies, query: Origin) -> None:
    ((_, path),) = copies.found(query)
    path.unlink()
    assert copies.found(query)[0][1].is_file()
    (path.parent / fetching.INDEX).write_text("{")
    assert json.loads(json.dumps([str(p) for _, p in copies.found(query)])) == [str(path)]


def test_old_copies_and_partial_ones_are_removed(copies: Copies, query: Origin) -> None:
    copies.fetch(query)
    old, killed = copies.folder / "0123", copies.folder / ".partial-x"
    old.mkdir()
    killed.mkdir()
    ago = time.time() - fetching.KEPT_S - 60
    os.utime(old, (ago, ago))
    copies.fetch(query)
    assert not old.exists()
    assert not killed.exists()
    assert copies.found(query)[0][1].is_file()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, query: Origin) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be copied to .*file/inputs.*set state\.folder"):
        Copies(tmp_path / "file" / "inputs").fetch(query)
