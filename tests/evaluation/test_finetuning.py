"""Fine-tuning as a whole: what is learned from, how it is judged, when it is refused."""

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
from recommender.evaluation.finetuning import HELD_OUT, Judgement, finetune
from recommender.evaluation.harness import Terms
from recommender.evaluation.intervals import Interval
from recommender.evaluation.model_card import card, licence_of
from recommender.settings.loading import load
from recommender.vectors.content.adapter import (
    Adapter,
    AdapterTraining,
    OnCheck,
    Validation,
)
from tests.support.shop_files import orders, write_shop, write_small_shop

TRAINING = AdapterTraining(hidden=8, steps=25, batch=64)
TERMS = Terms(days=30)


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
        judge: Validation,
        watch: OnCheck,
    ) -> Adapter:
        seen.append(events)
        return fit(self, matrix, events, judge, watch)

    monkeypatch.setattr(AdapterTraining, "fit", watched)
    tuned = finetune(job, TERMS, TRAINING, lambda *_: None)
    (events,) = seen
    assert 0 < events.time.max() < tuned.bench.window.start
    held_out = np.unique(tuned.bench.folds[0].queries.row)
    assert len(held_out)
    assert not np.isin(events.item, held_out).any()


@pytest.mark.usefixtures("any_encoder")
def test_before_is_text_alone_and_slices_add_up(job: Job) -> None:
    tuned = finetune(job, TERMS, TRAINING, lambda *_: None)
    judged = tuned.judgement
    assert judged.n["all"] == judged.n[HELD_OUT] + judged.n[finetuning.SEEN]
    for name, gain in judged.gain.items():
        change = judged.after[name].value - judged.before[name].value
        assert gain.value == pytest.approx(change, abs=1e-9)
    everyone = finetuning.scores(job, tuned.bench.content["text"].matrix, tuned.bench.queries)
    odd = tuned.bench.queries.basket % 2 == 1
    assert judged.before["all"].value == pytest.approx(everyone.ndcg[odd].mean())


def test_another_encoder_is_refused(job: Job) -> None:
    with pytest.raises(ConfigError, match="hashing cannot be fine-tuned"):
        finetune(job, TERMS, TRAINING, lambda *_: None)


def judgement(everyone: tuple[float, float], held_out: tuple[float, float]) -> Judgement:
    flat = Interval(0.1, 0.1, 0.1)
    names = ("all", HELD_OUT)
    gain = {
        name: Interval(sum(ends) / 2, *ends)
        for name, ends in zip(names, (everyone, held_out), strict=True)
    }
    same = dict.fromkeys(names, flat)
    return Judgement(dict.fromkeys(names, 9), same, same, gain)


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
    assert judgement(everyone, held_out).improved is improved


def test_a_card_tells_what_the_model_is() -> None:
    facts = {
        "base": "b", "digest": "d", "licence": "apache-2.0", "shop": "acme", "dimensions": 3,
        "events": 1000, "since": "2026-01-01", "until": "2026-02-01", "judged_until": "2026-03-01",
        "held_out": 7, "seed": 0, "parameters": "steps 5",
    }  # fmt: skip
    told = card(facts, judgement((0.01, 0.02), (0.0, 0.01)).plain())
    for part in ("apache-2.0", "1,000 events", "2026-02-01", "+0.0150 (+0.0100 to +0.0200)"):
        assert part in told


def test_a_licence_is_read_of_the_base_models_card(tmp_path: Path) -> None:
    assert licence_of(tmp_path) == "unknown"
    (tmp_path / "README.md").write_text('---\nlanguage: en\nlicense: "mit"\n---\n')
    assert licence_of(tmp_path) == "mit"


@pytest.mark.model
def test_a_shop_without_two_sides_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, orders(("a", "b")))
    options = ["--config", str(config), "--set", "recipe.content.text=sentence-transformers"]
    assert run(["finetune", *options, "--out", str(tmp_path / "m")]) == DataError.exit_code
    assert "baskets" in capsys.readouterr().err
    (tmp_path / "taken").mkdir()
    assert run(["finetune", *options, "--out", str(tmp_path / "taken")]) == ConfigError.exit_code


@pytest.mark.usefixtures("any_encoder")
def test_a_tuned_model_is_noted_where_it_is_judged(job: Job, tmp_path: Path) -> None:
    from recommender.evaluation.experiments import tuning_notes

    (tmp_path / "finetuning.json").write_text('{"until": 1000}')
    tuned = {"text": Choice("sentence-transformers", {"model": str(tmp_path)})}
    recipe = replace(job.recipe, content=tuned)
    (late,) = tuning_notes(recipe, start=999)
    assert "too good" in late
    (early,) = tuning_notes(recipe, start=1000)
    assert "simulated cold" in early
    assert tuning_notes(job.recipe, start=0) == ()
