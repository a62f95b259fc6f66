"""`recommender lint` as people use it."""

import csv
import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.support.shop_files import orders, write_shop, write_small_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3


def test_a_shop_without_a_build_is_linted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue = (
        "item_id,title,price\na,Red lamp,5\nb,red LAMP,5\nc,,0\nd,[bold]Rake,5\ne,x,5\nf,y,5\n"
    )
    config = write_shop(tmp_path, orders(*BASKETS), catalogue=catalogue)
    path = tmp_path / "found.csv"
    assert run(["lint", "--config", str(config), "--csv", str(path)]) == 0
    said = capsys.readouterr().out
    assert "6 items; nothing is published yet" in said
    assert "hub" not in said
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert {(row["item"], row["finding"], row["other_item"]) for row in found} == {
        ("a", "same-title", "b"),
        ("b", "same-title", "a"),
        ("c", "no-title", ""),
        ("c", "price", ""),
    }


def test_lists_are_looked_at_once_there_are_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_small_shop(tmp_path)
    assert run(["reindex", "--config", str(config)]) == 0
    capsys.readouterr()
    assert run(["lint", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "lists of the live generation 1" in said
    assert max(map(len, said.splitlines())) <= 100
    assert run(["lint", "--config", str(config), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["generation"] == 1
    assert sum(told["counts"].values()) > 0
    assert {row["finding"] for row in told["findings"]} == {
        k for k, n in told["counts"].items() if n
    }
    off = ["--set", "store.url=redis://127.0.0.1:1/0"]
    assert run(["lint", "--config", str(config), *off]) == 0
    assert "published last" in capsys.readouterr().out


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    assert run(["lint", "--config", str(config), "--csv", str(tmp_path / "no" / "x.csv")]) == 3
    assert "--csv" in capsys.readouterr().err
