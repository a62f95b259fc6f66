"""Experiments: the baselines, the verdict, and the log of the test window."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.artifacts.store import ArtifactStore
from recommender.build.job import Job
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.errors import ConfigError
from recommender.evaluation import experiments, systems
from recommender.evaluation.experiments import (
    TEST_LOG,
    Evaluation,
    evaluate,
    evaluate_baselines,
    heading,
    log_test_use,
    verdict,
)
from recommender.evaluation.external_lists import ExternalLists
from recommender.evaluation.harness import EvaluationPlan
from recommender.evaluation.metrics import Interval, QueryScores, Resamples
from recommender.evaluation.report import QuerySlices, SystemResult
from recommender.settings.loading import load
from tests.evaluation.small_harness import events, prepared
from tests.support.shop_files import write_small_shop

TEST: Mapping[str, Any] = {"window": "test", "seed": 3}


def test_baselines_in_the_folds_are_what_a_fit_in_each_fold_gives(recipe: Recipe) -> None:
    made = prepared(events())
    short = {one.name: one for one in evaluate_baselines(made, recipe)[0]}
    assert {name for name, one in short.items() if one.cold.ndcg.any()} == {  # type: ignore[union-attr]
        *("best sellers", "text alone", "plain concatenation", "item-kNN and text")
    }


@pytest.fixture
def made(tmp_path: Path) -> Job:
    return load(write_small_shop(tmp_path)).job()


def result(name: str, n: int) -> SystemResult:
    """A system whose every score is n tenths on a hundred queries."""
    scores = QueryScores(*(np.full(100, n / 10) for _ in range(5)))
    slices = QuerySlices({"all": np.ones(100, dtype=bool)}, Resamples.of(np.arange(100)))
    return SystemResult(name, slices.summary(scores), {}, (), scores, np.zeros((0, 10), np.int32))


def evaluation(*against: float, protocol: Mapping[str, Any] = TEST) -> Evaluation:
    """A recipe that is better than some baselines, or worse, by so much."""
    names = [f"system {number}" for number in range(len(against))]
    return Evaluation(
        harness=prepared(events()),
        protocol=protocol,
        results=(result("related", 5), *(result(name, 4) for name in names)),
        differences={
            name: {"all": Interval(mean, mean - 0.01, mean + 0.01)}
            for name, mean in zip(names, against, strict=True)
        },
        debiased={
            name: Interval(mean, mean - 0.01, mean + 0.01)
            for name, mean in zip(names, against, strict=True)
        },
        notes=("a note",),
        baselines=tuple(names[:2]),
    )


def test_the_bar_is_above_every_baseline_and_not_above_other_lists() -> None:
    good = evaluation(0.1, 0.2, -0.3)
    assert good.shortfalls == ()
    assert verdict(good).startswith("related clears the bar: ")
    bad = evaluation(0.1, -0.2, 0.3)
    assert verdict(bad) == (
        "related misses the bar:\n- not above system 1 overall in debiased NDCG\n"
        "- below system 1 overall"
    )


def test_an_evaluation_is_json() -> None:
    plain = json.loads(json.dumps(evaluation(0.1, -0.2).plain()))
    assert list(plain["recipes"]) == ["related", "system 0", "system 1"]
    assert plain["shortfalls"] == [
        "not above system 1 overall in debiased NDCG",
        "below system 1 overall",
    ]
    assert plain["debiased_differences"]["system 1"]["value"] == -0.2
    assert plain["differences"]["system 1"]["all"]["value"] == -0.2
    assert (plain["seed"], plain["notes"]) == (3, ["a note"])


@pytest.mark.parametrize(
    ("uses", "text"), [(1, "used 1 time so far"), (1200, "used 1,200 times so far")]
)
def test_a_heading_says_how_often_the_test_window_was_used(uses: int, text: str) -> None:
    found = heading(evaluation(0.1, protocol={**TEST, "test_uses": uses}))
    assert found.endswith(f"The test window was {text}.")
    assert found.startswith("Basket protocol, test window: ")


def test_a_heading_of_a_validation_window_says_nothing_of_uses() -> None:
    shown = heading(evaluation(0.1, protocol={**TEST, "window": "validation"}))
    assert "validation window" in shown
    assert "used" not in shown


def test_uses_of_the_test_window_are_numbered_one_after_another(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "acme")
    assert [log_test_use(store, {"recipe": name}) for name in "aba"] == [1, 2, 3]
    entries = [store.entry(TEST_LOG, number) for number in range(1, 5)]
    assert [entry and entry["recipe"] for entry in entries] == ["a", "b", "a", None]


def test_two_systems_of_one_name_are_refused(made: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of another system may have the name of a baseline."""
    theirs = ExternalLists("best sellers", ["x"], ["y"], np.ones(1, np.float32))
    monkeypatch.setattr(experiments, "BEHAVIOUR", {})
    monkeypatch.setattr(systems, "ease_fits", lambda *_: False)
    with pytest.raises(ConfigError, match="two systems are named 'best sellers'"):
        evaluate(made, EvaluationPlan(folds=0), [theirs])


def test_a_baseline_that_does_not_fit_into_memory_is_left_out_with_a_note(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "ease_fits", lambda *_: False)
    monkeypatch.setattr(experiments, "BEHAVIOUR", {})
    results, notes = evaluate_baselines(prepared(events()), recipe)
    assert [one.name for one in results] == [
        *("best sellers", "implicit ALS", "text alone", "plain concatenation", "item-kNN and text")
    ]
    assert notes == ("EASE is left out: 40 items squared do not fit this machine's memory",)


def test_baselines_do_not_depend_on_the_placements_of_a_recipe(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "ease_fits", lambda *_: False)
    monkeypatch.setattr(experiments, "BEHAVIOUR", {})
    other = replace(recipe, placements=(Placement("other", Choice("gated"), depth=12),))
    one, two = (evaluate_baselines(prepared(events()), each)[0] for each in (recipe, other))
    for first, second in zip(one, two, strict=True):
        assert (first.name, first.top.tolist()) == (second.name, second.top.tolist())
