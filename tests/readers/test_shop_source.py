"""What a shop's settings name, and the keys that follow from it."""

import dataclasses
from pathlib import Path

import pytest
import sqlalchemy

from recommender.core.telemetry import silent
from recommender.errors import DataError
from recommender.readers.fetching import Copies
from recommender.readers.interactions import HashedUsers
from recommender.readers.shop import read_catalogue, read_shop
from recommender.readers.shop_source import (
    ShopSource,
    copied_digests,
    fetch_pinned,
    input_digests,
    parameters,
)
from recommender.readers.sources import CatalogueSource, InteractionSource
from tests.readers.shop_folder import KEY, Folder


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    run(url, "create table items (item_id text, title text)")
    run(url, "create table sold (item_id text, order_id integer)")
    for item in "abc":
        run(url, f"insert into items values ('{item}', 'Title {item}')")
        run(url, f"insert into sold values ('{item}', 1)")
    return url


def run(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture
def source(url: str, tmp_path: Path) -> ShopSource:
    return ShopSource(
        CatalogueSource(url=url, query="select * from items"),
        (InteractionSource(url=url, query="select * from sold"),),
        copies=Copies(tmp_path / "inputs"),
    )


def test_a_database_is_read_as_files_are(source: ShopSource, tmp_path: Path) -> None:
    data = read_shop(source, HashedUsers(KEY), quarantine=tmp_path / "q", progress=silent)
    assert data.catalogue.title == ("Title a", "Title b", "Title c")
    assert len(data.interactions) == 3
    assert [file.key for file in data.report.files] == ["catalogue.0", "interactions.0.0"]


def test_keys_are_by_content_and_not_by_place(source: ShopSource, url: str) -> None:
    digests = input_digests(source)
    other = dataclasses.replace(
        source,
        catalogue=CatalogueSource(url=url, query="select item_id, title from items"),
        interactions=(InteractionSource(url=url, query="select item_id, order_id from sold"),),
    )
    assert input_digests(other) == digests
    assert parameters(other) == parameters(source)
    run(url, "insert into sold values ('a', 2)")
    assert copied_digests(source) == digests
    assert input_digests(source).keys() == digests.keys()
    assert copied_digests(source)["catalogue.0"] == digests["catalogue.0"]
    assert copied_digests(source) != digests


def test_a_run_reads_what_it_began_with(source: ShopSource, url: str, tmp_path: Path) -> None:
    """Another machine of a fleet has older copies, or none."""
    elsewhere = dataclasses.replace(source, copies=Copies(tmp_path / "elsewhere"))
    input_digests(elsewhere)
    run(url, "insert into sold values ('a', 2)")
    digests = input_digests(source)
    assert copied_digests(elsewhere) != digests
    fetch_pinned(elsewhere, digests)
    assert copied_digests(elsewhere) == digests


def test_a_refresh_reads_the_catalogue_of_now(source: ShopSource, url: str, tmp_path: Path) -> None:
    input_digests(source)
    run(url, "update items set title = 'New' where item_id = 'a'")
    run(url, "drop table sold")
    found = read_catalogue(source, ("a",), quarantine=tmp_path / "q", progress=silent)
    assert found.title == ("New",)


def test_rows_are_bounded(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\n" + "a,1\n" * 5)
    folder.put("b.csv", "item_id,order_id\n" + "a,1\n" * 5)
    source = folder.source(interactions=InteractionSource(("a.csv", "b.csv")))
    users, place = HashedUsers(KEY), folder.quarantine
    whole = dataclasses.replace(source, rows_max=10)
    assert len(read_shop(whole, users, quarantine=place, progress=silent).interactions) == 10
    with pytest.raises(DataError, match=r"b\.csv: more rows than limits\.rows_max; raise it"):
        read_shop(dataclasses.replace(source, rows_max=9), users, quarantine=place, progress=silent)


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("feeds/a.csv", "{base}/feeds"),
        ("feeds", "{base}/feeds"),
        ("feeds/2026-*/part-?.csv", "{base}/feeds"),
        (("/other/a.csv", "b.csv"), "/other"),
        ("s3://bucket/feeds/a.csv", "s3://bucket/feeds"),
        ("https://shop.example/feeds/a.csv", "https://shop.example/feeds"),
    ],
)
def test_paths_in_a_catalogue_start_at_its_first_file(
    tmp_path: Path, path: str | tuple[str, ...], folder: str
) -> None:
    (tmp_path / "feeds").mkdir()
    found = ShopSource(CatalogueSource(path), (), base=tmp_path).catalogue_folder
    assert found == folder.format(base=tmp_path)


def test_paths_in_a_catalogue_of_a_database_start_at_the_settings(tmp_path: Path) -> None:
    source = CatalogueSource(url="sqlite:///a.db", query="select 1")
    assert ShopSource(source, (), base=tmp_path).catalogue_folder == str(tmp_path)
