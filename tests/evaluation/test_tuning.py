"""The search on a harness whose results are known, and `recommender tune` on the generated shop."""

import tomllib
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from recommender.cli.main import run
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.errors import ConfigError
from recommender.evaluation.harness import Harness
from recommender.evaluation.metrics import Interval
from recommender.evaluation.tuning import Trial, tune, variations
from recommender.settings.tables import RecipeSettings
from tests.support.shop_files import write_small_shop

RECIPE = Recipe(
    {"text": Choice("hashing")},
    {"orders": Choice("co-occurrence-svd", {"dimensions": 128})},
    Choice("exact"),
    (
        Placement("related", Choice("gated", {"text_share": 0.5}), ranker=Choice("learned")),
        Placement("similar", Choice("gated")),
    ),
)


@dataclass
class Slice:
    n: int
    metrics: dict[str, Interval]


@dataclass
class Known:
    """The result of a recipe, which its parameters decide."""

    value: float
    tail: float

    @property
    def slices(self) -> dict[str, Slice]:
        return {
            "all": Slice(1000, {"ndcg": Interval(self.value, self.value, self.value)}),
            "tail": Slice(400, {"ndcg": Interval(self.tail, self.tail, self.tail)}),
        }

    def ndcg(self) -> Interval:
        return self.slices["all"].metrics["ndcg"]


@dataclass
class KnownHarness:
    """A harness on which text_share 0.2 is best, and half_support hurts the tail."""

    evaluated: list[Recipe] = field(default_factory=list)

    def evaluate(self, recipe: Recipe) -> Known:
        self.evaluated.append(recipe)
        gate = recipe.placements[0].fusion.parameters
        half = gate.get("half_support", 5.0)
        return Known(1 - abs(gate["text_share"] - 0.2) + half / 100, 1 - abs(half - 5) / 10)

    def differences(self, ours: Known, theirs: Known) -> dict[str, Interval]:
        return {
            name: Interval(*[getattr(ours, field_) - getattr(theirs, field_)] * 3)
            for name, field_ in (("all", "value"), ("tail", "tail"))
        }


def tuned(harness: KnownHarness, trials: list[Trial], stop: int = 10_000) -> Recipe:
    ticks = count()
    found, best = tune(
        RECIPE, [cast("Harness", harness)], lambda: next(ticks) >= stop, trials.append, seed=1
    )
    assert best.taken
    assert best.ndcg == pytest.approx(harness.evaluate(found).value)
    return found


def test_what_helps_is_kept_unless_it_harms_a_slice() -> None:
    trials: list[Trial] = []
    harness = KnownHarness()
    found = tuned(harness, trials)
    gate = found.placements[0].fusion.parameters
    assert gate["text_share"] == 0.2
    assert gate.get("half_support", 5.0) == 5.0
    assert found.placements[1] == RECIPE.placements[1]
    assert {trial.change for trial in trials if trial.taken} >= {
        "as given",
        "fusion.text_share = 0.2",
    }
    digests = [recipe.digest for recipe in harness.evaluated[:-1]]
    assert len(set(digests)) == len(digests)


def test_it_ends_in_time() -> None:
    trials: list[Trial] = []
    tuned(KnownHarness(), trials, stop=3)
    assert len(trials) <= 4


def test_each_variation_changes_one_parameter() -> None:
    found = list(variations(RECIPE))
    assert len({one.recipe.digest for one in found}) == len(found)
    assert RECIPE.digest not in {one.recipe.digest for one in found}
    changes = {one.change.rpartition(" = ")[0] for one in found}
    assert "interactions.orders.dimensions" in changes
    assert "ranker.leaves" in changes
    assert "fusion.text_share" in changes


def test_a_recipe_with_nothing_to_tune_is_refused() -> None:
    plain = Recipe(
        {"text": Choice("hashing")},
        {},
        Choice("exact"),
        (Placement("related", Choice("concatenation", {"weights": {"text": 1.0}})),),
    )
    with pytest.raises(ConfigError, match="none of its parts"):
        tune(plain, [], lambda: False, lambda _trial: None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_small_shop(tmp_path)


def test_the_command_writes_a_recipe_that_settings_read(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned.toml"
    command = ["tune", "--config", str(config), "--minutes", "0.05", "--windows", "1"]
    assert run([*command, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "taken  as given" in said
    assert "# window 0: NDCG@10 0." in out.read_text()
    tree: dict[str, Any] = tomllib.loads(out.read_text())
    made = RecipeSettings.model_validate(tree).recipe()
    assert made.placements[0].name == "related"
    assert run([*command, "--out", str(out)]) == 3
    assert "exists already" in capsys.readouterr().err


def test_nonsense_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "tuned.toml")
    assert run(["tune", "--config", str(config), "--minutes", "0", "--out", out]) == 2
    assert "--minutes must be above 0" in capsys.readouterr().err
