"""`recommender finetune`."""

import argparse

from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress, table
from recommender.errors import ConfigError, GateHeld
from recommender.evaluation.finetuning import FinetuningResult, finetune, save
from recommender.evaluation.harness import EvaluationPlan
from recommender.vectors.content.adapter import AdapterTraining

FIGURES = ("queries", "before", "after", "gain, 95 % interval")


def run(options: argparse.Namespace) -> int:
    """Fine-tune a shop's text model, evaluate it, and write it where it is better."""
    settings = settings_of(options)
    if options.out.exists():
        raise ConfigError(f"--out {options.out}: exists; name another folder")
    training = AdapterTraining(steps=options.steps, seed=options.seed)
    plan = EvaluationPlan(settings.evaluation.days, settings.evaluation.test_from_s())
    with progress("fine-tune", training.steps) as advance:
        done = 0

        def watch(step: int, _goodness: float) -> None:
            nonlocal done
            advance(step - done)
            done = step

        model = finetune(settings.job(progress), plan, training, watch)
    _print(model.result)
    if not model.result.improved:
        raise GateHeld("the tuned model is not better on the validation window; nothing is written")
    save(settings.job(progress), model, options.out)
    shown = console()
    shown.print(f"\nWritten to {options.out}; its README.md is the model card.", markup=False)
    shown.print(f"Use it: recommender reindex --set recipe.text.model={options.out.resolve()}")
    return 0


def _print(result: FinetuningResult) -> None:
    headings = [("text alone, NDCG@10", "left"), *((name, "right") for name in FIGURES)]
    rows = [
        (
            name,
            f"{result.n[name]:,}",
            f"{result.before[name].value:.4f}",
            f"{result.after[name].value:.4f}",
            f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})",
        )
        for name, gain in result.gain.items()
    ]
    console().print(table(headings, rows))
