"""`recommender evaluate` from end to end on the generated shop."""

import csv
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recommender.build.job import Job
from recommender.cli import evaluate as command
from recommender.cli.main import run
from recommender.core.related import EVIDENCE
from recommender.errors import DataError
from recommender.settings.loading import load
from tests.support.shop_files import SMALL_SHOP, write_small_shop

BASELINES = {
    *("best sellers", "co-occurrence count", "implicit cosine", "implicit BM25", "EASE"),
    *("implicit ALS", "text alone", "plain concatenation", "item-kNN", "item-kNN and text"),
}

Evaluated = Callable[..., dict[str, Any]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_small_shop(tmp_path)


@pytest.fixture
def evaluated(config: Path, capsys: pytest.CaptureFixture[str]) -> Evaluated:
    """Evaluate with options and return the JSON output."""

    def run_with(*options: str) -> dict[str, Any]:
        assert run(["evaluate", "--config", str(config), "--json", *options]) == 0
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    return run_with


def value(output: dict[str, Any], name: str, part: str = "all") -> float:
    found: float = output["recipes"][name]["slices"][part]["metrics"]["ndcg"]["value"]
    return found


def test_the_tables_fit_the_terminal(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "validation window" in said
    assert "used" not in said
    assert max(map(len, said.splitlines())) <= 100
    for name in BASELINES:
        assert len(re.findall(f"^{name}  ", said, re.MULTILINE)) == 4
    assert "simulated cold" in said
    assert re.search("related (clears|misses) the bar", said)


def test_json_has_every_system_slice_and_metric(evaluated: Evaluated) -> None:
    answer = evaluated("--test", "--folds", "2")
    assert answer["protocol"]["window"] == "test"
    assert (answer["protocol"]["name"], answer["seed"]) == ("basket", 0)
    ours = answer["recipes"]["related"]
    assert ours["slices"]["all"]["n"] == answer["data"]["queries"] > 100
    assert set(ours["slices"]["all"]["metrics"]) == {
        *("hit_rate", "ndcg", "mrr", "recall", "debiased_ndcg")
    }
    assert set(ours["lists"]) == {
        *("hub_share", "coverage_12", "own_category", "by_chance"),
        *("coverage", "gini", "novelty", "intra_list_similarity"),
    }
    assert answer["debiased_differences"].keys() == answer["differences"].keys()
    ndcg = ours["slices"]["all"]["metrics"]["ndcg"]
    assert ndcg["low"] < ndcg["value"] < ndcg["high"]
    assert value(answer, "related") > value(answer, "best sellers")
    assert set(answer["recipes"]) == {"related", *BASELINES}
    assert set(answer["differences"]) == BASELINES
    knows_cold = {name for name in answer["recipes"] if value(answer, name, "simulated cold")}
    assert knows_cold == {
        *("related", "best sellers", "text alone", "plain concatenation", "item-kNN and text")
    }


def test_every_use_of_the_test_window_is_counted(
    evaluated: Evaluated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluated("--test", "--folds", "0")["protocol"]["test_uses"] == 1
    assert "test_uses" not in evaluated("--folds", "0")["protocol"]
    assert evaluated("--test", "--folds", "0")["protocol"]["test_uses"] == 2
    assert run(["evaluate", "--config", str(config), "--test", "--folds", "0"]) == 0
    assert "The test window was used 3 times so far." in capsys.readouterr().out


def test_a_window_that_rolls_back_ends_where_the_later_one_begins(evaluated: Evaluated) -> None:
    now, before = evaluated("--folds", "0"), evaluated("--folds", "0", "--back", "1")
    assert before["protocol"]["until"] == now["protocol"]["from"]
    assert before["data"]["train_events"] < now["data"]["train_events"]


def test_next_items(evaluated: Evaluated, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = evaluated("--protocol", "next-item")
    assert answer["protocol"]["decay"] == 0.8
    assert set(answer["recipes"]) == {"related", *BASELINES}
    assert min(value(answer, name) for name in answer["recipes"]) > 0
    assert run(["evaluate", "--config", str(config), "--protocol", "next-item"]) == 0
    said = capsys.readouterr().out
    assert "without a history or a new item" in said
    assert max(map(len, said.splitlines())) <= 100


def test_lists_of_another_system_are_evaluated_too(evaluated: Evaluated, tmp_path: Path) -> None:
    with (SMALL_SHOP / "catalogue.csv").open() as file:
        items = [row["item_id"] for row in csv.DictReader(file)]
    theirs = tmp_path / "theirs.csv"
    rows = [f"{item},{related},1" for item, related in pairwise(items)]
    theirs.write_text("\n".join(["item,related,score", *rows, "stranger,x,1"]) + "\n")
    answer = evaluated("--lists", f"theirs={theirs}", "--lists", f"again={theirs}")
    assert value(answer, "theirs") == value(answer, "again")
    assert value(answer, "theirs") < value(answer, "related")
    assert "simulated cold" not in answer["recipes"]["theirs"]["slices"]
    assert any("theirs: 1 entries with an unknown item" in note for note in answer["notes"])
    assert not any("theirs" in line for line in answer["shortfalls"])


@pytest.mark.server
def test_a_published_generation_is_evaluated_with_a_warning(
    evaluated: Evaluated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reindex", "--config", str(config)]) == 0
    capsys.readouterr()
    number = load(config).artifact_store().highest_run()
    live = evaluated("--folds", "0", "--generation")
    named = evaluated("--folds", "0", "--generation", str(number))
    for answer in (live, named):
        assert value(answer, f"generation {number}") > value(answer, "related")
        assert any("figures are too good" in note for note in answer["notes"])
    assert live["recipes"] == named["recipes"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--lists", "theirs"], 2, "write NAME=FILE"),
        (["--lists", "theirs=none.csv"], 3, "no such file"),
        (["--generation", "first"], 2, "give the number of a generation"),
        (["--generation", "99"], 5, "no record of run"),
        (["--folds", "-1"], 2, "must not be negative"),
        (["--test", "--back", "1"], 3, "cannot be moved back"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    capsys.readouterr()
    assert run(["evaluate", "--config", str(config), *options]) == code
    assert message in capsys.readouterr().err


def test_two_of_one_name_are_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("item,related,score\na,b,1\n")
    assert run(["evaluate", "--config", str(config), "--lists", f"EASE={path}"]) == 3
    assert "two systems are named 'EASE'" in capsys.readouterr().err


def test_placements_are_evaluated_by_name(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def refused(job: Job, *_: object) -> None:
        asked.append([one.name for one in job.recipe.placements])
        raise DataError("evaluated")

    monkeypatch.setattr(command, "evaluate", refused)
    second = "recipe.placements=[{name='one', fusion='gated'}, {name='two', fusion='gated'}]"
    options = ["evaluate", "--config", str(config), "--set", second]
    assert run([*options, "--placement", "two", "--placement", "one"]) == 4
    assert run(options) == 4
    assert run([*options, "--placement", "three"]) == 3
    assert asked == [["two", "one"], ["one", "two"]]


@pytest.mark.server
def test_published_lists_are_exported_and_can_be_evaluated_as_those_of_another_system(
    evaluated: Evaluated, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "lists", "--config", str(config), "--out", "lists.csv"]) == 4
    assert "run reindex first" in capsys.readouterr().err
    assert run(["reindex", "--config", str(config)]) == 0
    csv_file, parquet_file = tmp_path / "lists.csv", tmp_path / "lists.parquet"
    for out in (csv_file, parquet_file):
        assert run(["export", "lists", "--config", str(config), "--out", str(out)]) == 0
    ids = {"item": str, "related": str}
    table, same = pd.read_parquet(parquet_file), pd.read_csv(csv_file, dtype=ids, na_filter=False)
    pd.testing.assert_frame_equal(table, same, check_dtype=False, rtol=1e-5)
    first = table.groupby("item", sort=False).head(1)
    assert (first["rank"] == 1).all()
    assert table.groupby("item")["score"].is_monotonic_decreasing.all()
    assert set(table["evidence"]) <= set(EVIDENCE)
    with (SMALL_SHOP / "catalogue.csv").open() as file:
        titles = {row["item_id"]: row["title"] for row in csv.DictReader(file)}
    assert table["title"].tolist() == [titles[item] for item in table["related"]]
    capsys.readouterr()
    answer = evaluated("--folds", "0", "--generation", "--lists", f"ours={csv_file}")
    (generation,) = [name for name in answer["recipes"] if name.startswith("generation")]
    assert value(answer, "ours") == pytest.approx(value(answer, generation), abs=0.01)
