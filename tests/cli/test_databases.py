"""A shop in a database, from `init` to lists: SQLite always, PostgreSQL where it is installed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from recommender.cli.main import run
from tests.cli.shop import failed, related, said
from tests.support.postgres import PASSWORD, QUOTED, running_postgres
from tests.support.shop_files import SETTINGS

ITEMS = "select sku, name, price from products"
SOLD = "select sku as item, order_id, bought_at, customer_id from order_lines"
TABLES = [
    "create table products (sku varchar(20), name varchar(80), price numeric(8, 2))",
    "create table order_lines (order_id int, sku text, bought_at timestamp, customer_id int)",
]
SECRETS = ("S3CR3T", PASSWORD, QUOTED)


def perform(url: str, *statements: str) -> None:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def fill(url: str) -> str:
    names = ("knife", "board", "wok", "pan", "spade", "rake", "hose", "glove")
    items = [f"insert into products values ('{n}-1', 'The {n}', 6.50)" for n in names]
    sold = [
        f"insert into order_lines values ({order}, '{names[(order % 2) * 4 + (order + n) % 4]}-1',"
        f" '2026-01-{1 + order % 28:02d} 10:00:00', {order % 7})"
        for order in range(40)
        for n in range(3)
    ]
    perform(url, *TABLES, *items, *sold)
    return url


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return fill(f"sqlite:///{tmp_path / 'shop.db'}")
    server: str = request.getfixturevalue("server")
    perform(server, *(f"drop table if exists {name}" for name in ("products", "order_lines")))
    return fill(server)


@pytest.fixture
def config(url: str, tmp_path: Path) -> Path:
    columns = 'columns = { item = "item", basket = "order_id", time = "bought_at" }'
    tables = f"[interactions]\nurl = {json.dumps(url)}\nquery = {json.dumps(SOLD)}\n{columns}"
    text = SETTINGS.replace('[interactions]\npath = "orders.csv"', tables)
    text += f"\n[catalogue]\nurl = {json.dumps(url)}\nquery = {json.dumps(ITEMS)}\n"
    text += 'columns = { item = "sku", title = "name" }\n'
    path = tmp_path / "recommender.toml"
    path.write_text(text)
    return path


def test_a_run_that_reads_the_same_rows_changes_nothing(
    config: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(config)]
    assert "Generation 1 of acme is live" in said(["reindex", *where], capsys)
    assert "board-1" in json.dumps(related(config, "knife-1", capsys))
    assert "Nothing changed: generation 1" in said(["reindex", *where], capsys)
    perform(url, "update products set price = price")
    assert "Nothing changed: generation 1" in said(["reindex", *where], capsys)
    perform(url, "update products set name = 'The cleaver' where sku = 'knife-1'")
    assert "Generation 2 of acme is live" in said(["reindex", *where], capsys)


def test_failures_leave_the_live_lists(
    config: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(config)]
    assert run(["reindex", *where]) == 0
    inputs = config.parent / ".recommender" / "inputs" / "acme"
    before = {path: path.stat().st_mtime_ns for path in inputs.rglob("*.parquet")}
    wrong = ["postgresql+psycopg://shop:S3CR3T-xyz@127.0.0.1:1/shop"]
    if url.startswith("postgresql"):
        wrong.append(url.replace(QUOTED, "S3CR3T-xyz"))
    for each in wrong:
        told = failed(capsys, ["reindex", *where, "--set", f"catalogue.url={each}"], 4)
        assert "catalogue.query: postgresql+psycopg://***@127.0.0.1:" in told
        assert "cannot be connected to" in told
        assert not any(secret in told for secret in SECRETS)
    for query, reason in (
        ("select nothing from order_lines", "the query fails"),
        ("select sku from order_lines", "interactions.0.query has no column"),
    ):
        told = failed(capsys, ["reindex", *where, "--set", f"interactions.query={query}"], 3)
        assert reason in told
        assert not any(secret in told for secret in SECRETS)
    assert related(config, "knife-1", capsys)["generation"] == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not list(inputs.glob(".partial-*"))


@pytest.mark.server
def test_the_password_is_shown_nowhere(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL comes from the environment; `config`, records of runs and copies do not have it."""
    perform(server, *(f"drop table if exists {name}" for name in ("products", "order_lines")))
    fill(server)
    monkeypatch.setenv("RECOMMENDER_INTERACTIONS__URL", server)
    query = json.dumps(SOLD)
    columns = 'columns = { item = "item", basket = "order_id", title = "item" }'
    text = SETTINGS.replace('path = "orders.csv"', f"query = {query}\n{columns}")
    config = tmp_path / "recommender.toml"
    config.write_text(text)
    where = ["--config", str(config)]
    assert run(["reindex", *where]) == 0
    assert run(["config", *where]) == 0
    assert run(["status", *where]) == 0
    run(["doctor", *where, "--debug"])
    printed = capsys.readouterr()
    assert "postgresql+psycopg://***@127.0.0.1" in printed.out
    assert not any(secret in printed.out + printed.err for secret in SECRETS)
    for path in (tmp_path / ".recommender").rglob("*"):
        if path.is_file() and not path.is_socket():
            assert not any(secret.encode() in path.read_bytes() for secret in SECRETS), path


def test_init_and_doctor_read_the_first_rows(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new-shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    queries = ["--query", ITEMS, "--query", SOLD]
    shown = said(["init", "--yes", "--url", url, *queries], capsys)
    assert "The board" in shown
    written = Path("recommender.toml").read_text()
    assert json.dumps(ITEMS) in written
    assert json.dumps(SOLD) in written
    if "@" in url:
        assert os.stat("recommender.toml").st_mode & 0o077 == 0  # noqa: PTH116
    run(["doctor", "--set", "recipe.content.text.use=hashing"])
    report = " ".join(capsys.readouterr().out.split())
    assert "catalogue.query: copied" in report
    assert "120 of 120 rows kept" in report
    assert not any(secret in report for secret in SECRETS)


def test_init_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--url needs --query" in failed(capsys, ["init", "--yes", "--url", "sqlite://"], 2)
