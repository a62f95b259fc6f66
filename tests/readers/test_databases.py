"""Results of queries: SQLite always, and a PostgreSQL server of its own where one is installed."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy

from recommender.core import redaction
from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.readers import databases
from recommender.readers.databases import write_result
from tests.support.postgres import PASSWORD, QUOTED, running_postgres

TABLE = "create table items (id text, title text, price numeric)"


@pytest.fixture(autouse=True)
def nothing_concealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_concealed", set())


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute(TABLE)
        shop.executemany(
            "insert into items values (?, ?, ?)", [(f"00{n}", f"T{n}", n / 2) for n in range(5)]
        )
    shop.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


def rows(url: str, query: str, path: Path, *, rows_max: int = 0) -> list[dict[str, object]]:
    write_result(url, query, path, what="catalogue.query", rows_max=rows_max)
    found: list[dict[str, object]] = pq.read_table(path).to_pylist()
    return found


def test_rows_are_written_as_texts(sqlite: str, tmp_path: Path) -> None:
    found = rows(sqlite, "select id, title, price, null as brand from items", tmp_path / "q")
    assert found[3] == {"id": "003", "title": "T3", "price": "1.5", "brand": None}
    assert len(found) == 5
    assert rows(sqlite, "select * from items where 0", tmp_path / "q") == []
    assert len(rows(sqlite, "select * from items", tmp_path / "q", rows_max=2)) == 2


def test_groups_are_bounded(sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "GROUP_ROWS", 3)
    rows(sqlite, "select id from items", tmp_path / "q")
    assert pq.ParquetFile(tmp_path / "q").num_row_groups == 2
    monkeypatch.setattr(databases, "GROUP_CHARACTERS", 4)
    rows(sqlite, "select id from items", tmp_path / "q")
    assert pq.ParquetFile(tmp_path / "q").num_row_groups == 3


def test_the_digest_is_of_the_rows_in_any_order(sqlite: str, tmp_path: Path) -> None:
    def digest(query: str) -> str:
        return write_result(sqlite, query, tmp_path / "q", what="q")

    plain = digest("select id, title from items")
    assert digest("select id, title from items order by id desc") == plain
    assert digest("select id, title as name from items") != plain
    assert digest("select id, title from items where id > '001'") != plain
    assert digest("select id, title from items union all select id, title from items") != plain
    assert digest("select id, nullif(title, 'T1') as title from items") != plain


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select * from orders", "catalogue.query: the query fails: no such table: orders; corr"),
        ("select id, title as id from items", "two columns are named 'id'; rename one"),
        ("delete from items", "the query returns no rows; write a select"),
    ],
)
def test_a_wrong_query_is_named(sqlite: str, tmp_path: Path, query: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rows(sqlite, query, tmp_path / "q")
    assert len(rows(sqlite, "select * from items", tmp_path / "q")) == 5


def test_a_value_that_is_no_text_is_named(sqlite: str, tmp_path: Path) -> None:
    query = "select id, case id when '003' then x'ff' end as code from items"
    with pytest.raises(DataError, match=r"catalogue.query row 4: column 'code' has bytes that"):
        rows(sqlite, query, tmp_path / "q")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("oracel://u:S3CR3T-pw@host/db", r"oracel://\*\*\*@host/db: no such dialect or driver"),
        ("postgresql+psycopg://u:S3CR3T-pw@host:port/db", r"\*\*\*@host:port/db: not a URL of a"),
    ],
)
def test_a_wrong_url_is_named(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        rows(url, "select 1", tmp_path / "q")
    assert "S3CR3T" not in str(caught.value)


def test_a_driver_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"mysql\+pymysql://\*\*\*@h/d needs the driver pymysql"):
        rows("mysql+pymysql://u:pw@h/d", "select 1", tmp_path / "q")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sqlalchemy", None)
    with pytest.raises(MissingExtra, match=r"pip install 'recommender\[databases\]'"):
        rows("sqlite://", "select 1", tmp_path / "q")


def test_a_server_that_is_not_there_is_named(tmp_path: Path, refused_port: int) -> None:
    url = f"postgresql+psycopg://shop:{QUOTED}@127.0.0.1:{refused_port}/shop"
    with pytest.raises(
        DataError, match=r"cannot be connected to: .*refused.*; check that"
    ) as caught:
        rows(url, "select 1", tmp_path / "q")
    assert PASSWORD not in str(caught.value)
    assert QUOTED not in str(caught.value)
    assert redaction.redacted(f"{PASSWORD} {QUOTED}") == "*** ***"


@pytest.mark.server
def test_a_wrong_password_is_named(postgres: str, tmp_path: Path) -> None:
    wrong = postgres.replace(QUOTED, "S3CR3T-wrong")
    with pytest.raises(DataError, match="password authentication failed for user") as caught:
        rows(wrong, "select 1", tmp_path / "q")
    assert "S3CR3T" not in str(caught.value)


@pytest.mark.server
def test_the_types_of_postgres(postgres: str, tmp_path: Path) -> None:
    query = (
        "select 12.50::numeric as price, 1.5::float8 as share, true as stock, null as brand,"
        " timestamp '2026-01-02 03:04:05' as at, timestamptz '2026-01-02 03:04:05+02' as zoned,"
        " date '2026-01-02' as day, 'a'::bytea as code, array['A','B'] as path,"
        """ '[{"id": 1}]'::jsonb as lines, '00000000-0000-0000-0000-000000000001'::uuid as id,"""
        " '100% :x 12:30'::text as title where 'a%' like 'a%'"
    )
    url = postgres + "?options=-c%20TimeZone%3DUTC"
    assert rows(url, query, tmp_path / "q") == [
        {
            "price": "12.50",
            "share": "1.5",
            "stock": "true",
            "brand": None,
            "at": "2026-01-02 03:04:05",
            "zoned": "2026-01-02 01:04:05+00:00",
            "day": "2026-01-02",
            "code": "a",
            "path": '["A", "B"]',
            "lines": json.dumps([{"id": 1}]),
            "id": "00000000-0000-0000-0000-000000000001",
            "title": "100% :x 12:30",
        }
    ]


@pytest.mark.server
def test_postgres_streams_and_is_only_read(postgres: str, tmp_path: Path) -> None:
    """Only a server-side cursor can give up before the row that fails."""
    failing = "select 1 / (100000 - n) as x from generate_series(1, 100000) as n"
    assert len(rows(postgres, failing, tmp_path / "q", rows_max=10)) == 10
    with pytest.raises(DataError, match=r"failed after [1-9][0-9,]* rows: division by zero; run"):
        rows(postgres, failing, tmp_path / "q")
    engine = sqlalchemy.create_engine(postgres, poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("create sequence numbers")
    with pytest.raises(ConfigError, match=r"read-only transaction"):
        rows(postgres, "select nextval('numbers')", tmp_path / "q")
