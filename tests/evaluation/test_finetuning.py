"""Fine-tuning as a whole: what is learned from, how it is evaluated, when it is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.build.job import Job
from recommender.cli.main import run
from recommender.core.arrays import FloatMatrix
from recommender.core.interactions import Interactions
from recommender.core.recipe import Choice
from recommender.errors import ConfigError, DataError
from recommender.evaluation import finetuning
from recommender.evaluation.finetuning import HELD_OUT, FinetuningResult, card, finetune, licence_of
from recommender.evaluation.harness import EvaluationPlan
from recommender.evaluation.metrics import Interval
from recommender.settings.loading import load
from recommender.vectors.content.adapter import (
    Adapter,
    AdapterTraining,
    OnCheck,
    Validation,
)
from tests.support.shop_files import orders, write_shop, write_small_shop

TRAINING = AdapterTraining(hidden=8, steps=25, batch=64)
PLAN = EvaluationPlan(days=30)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return load(write_small_shop(tmp_path_factory.mktemp("shop"))).job()


@pytest.fixture
def any_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hashing encoder pass for a model, as the small shop's texts need no more."""
    monkeypatch.setattr(finetuning, "ENCODER", "hashing")


@pytest.mark.usefixtures("any_encoder")
def test_nothing_later_than_the_validation_window_is_learned_from(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Interactions] = []
    fit = AdapterTraining.fit

    def watched(
        self: AdapterTraining,
        matrix: FloatMatrix,
        events: Interactions,
        validate: Validation,
        watch: OnCheck,
    ) -> Adapter:
        seen.append(events)
        return fit(self, matrix, events, validate, watch)

    monkeypatch.setattr(AdapterTraining, "fit", watched)
    tuned = finetune(job, PLAN, TRAINING, lambda *_: None)
    (events,) = seen
    assert 0 < events.time.max() < tuned.harness.window.start
    held_out = np.unique(tuned.harness.folds[0].queries.row)
    assert len(held_out)
    assert not np.isin(events.item, held_out).any()


@pytest.mark.usefixtures("any_encoder")
def test_before_is_text_alone_and_slices_add_up(job: Job) -> None:
    tuned = finetune(job, PLAN, TRAINING, lambda *_: None)
    result = tuned.result
    assert result.n["all"] == result.n[HELD_OUT] + result.n[finetuning.SEEN]
    for name, gain in result.gain.items():
        change = result.after[name].value - result.before[name].value
        assert gain.value == pytest.approx(change, abs=1e-9)
    everyone = finetuning.text_scores(
        job, tuned.harness.content["text"].matrix, tuned.harness.queries
    )
    odd = tuned.harness.queries.basket % 2 == 1
    assert result.before["all"].value == pytest.approx(everyone.ndcg[odd].mean())


def test_another_encoder_is_refused(job: Job) -> None:
    with pytest.raises(ConfigError, match="hashing cannot be fine-tuned"):
        finetune(job, PLAN, TRAINING, lambda *_: None)


def result_of(everyone: tuple[float, float], held_out: tuple[float, float]) -> FinetuningResult:
    flat = Interval(0.1, 0.1, 0.1)
    names = ("all", HELD_OUT)
    gain = {
        name: Interval(sum(ends) / 2, *ends)
        for name, ends in zip(names, (everyone, held_out), strict=True)
    }
    same = dict.fromkeys(names, flat)
    return FinetuningResult(dict.fromkeys(names, 9), same, same, gain)


@pytest.mark.parametrize(
    ("everyone", "held_out", "improved"),
    [
        ((0.01, 0.02), (-0.01, 0.01), True),
        ((-0.01, 0.02), (0.01, 0.02), False),
        ((0.01, 0.02), (-0.03, -0.01), False),
    ],
)
def test_what_counts_as_better(
    everyone: tuple[float, float], held_out: tuple[float, float], improved: bool
) -> None:
    assert result_of(everyone, held_out).improved is improved


def test_a_card_describes_the_model() -> None:
    facts = {
        "base": "b", "digest": "d", "licence": "apache-2.0", "shop": "acme", "dimensions": 3,
        "events": 1000, "since": "2026-01-01", "until": "2026-02-01", "judged_until": "2026-03-01",
        "held_out": 7, "seed": 0, "parameters": "steps 5",
    }  # fmt: skip
    text = card(facts, result_of((0.01, 0.02), (0.0, 0.01)).plain())
    for part in ("apache-2.0", "1,000 events", "2026-02-01", "+0.0150 (+0.0100 to +0.0200)"):
        assert part in text


def test_a_licence_is_read_of_the_base_models_card(tmp_path: Path) -> None:
    assert licence_of(tmp_path) == "unknown"
    (tmp_path / "README.md").write_text('---\nlanguage: en\nlicense: "mit"\n---\n')
    assert licence_of(tmp_path) == "mit"


@pytest.mark.model
def test_a_shop_without_two_sides_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, orders(("a", "b")))
    options = ["--config", str(config), "--set", "recipe.content.text=sentence-transformers"]
    assert run(["finetune", *options, "--out", str(tmp_path / "m")]) == DataError.exit_code
    assert "no events before the test period" in capsys.readouterr().err
    (tmp_path / "taken").mkdir()
    assert run(["finetune", *options, "--out", str(tmp_path / "taken")]) == ConfigError.exit_code


@pytest.mark.usefixtures("any_encoder")
def test_a_tuned_model_is_noted_where_it_is_evaluated(job: Job, tmp_path: Path) -> None:
    from recommender.evaluation.experiments import _notes_on_text_model

    (tmp_path / "finetuning.json").write_text('{"until": 1000}')
    tuned = {"text": Choice("sentence-transformers", {"model": str(tmp_path)})}
    recipe = replace(job.recipe, content=tuned)
    (late,) = _notes_on_text_model(recipe, start=999)
    assert "too good" in late
    (early,) = _notes_on_text_model(recipe, start=1000)
    assert "simulated cold" in early
    assert _notes_on_text_model(job.recipe, start=0) == ()
