"""`recommender finetune`."""

import argparse

from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress, table
from recommender.errors import ConfigError, GateHeld
from recommender.evaluation.finetuning import Judgement, finetune, save
from recommender.evaluation.harness import Terms
from recommender.vectors.content.adapter import AdapterTraining

FIGURES = ("queries", "before", "after", "gain, 95 % interval")


def run(options: argparse.Namespace) -> int:
    """Fine-tune a shop's text model, judge it, and write it where it is better."""
    settings = settings_of(options)
    if options.out.exists():
        raise ConfigError(f"--out {options.out}: is there already; name another folder")
    training = AdapterTraining(steps=options.steps, seed=options.seed)
    terms = Terms(settings.evaluation.days, settings.evaluation.test_from_s())
    with progress("fine-tune", training.steps) as advance:
        done = 0

        def watch(step: int, _goodness: float) -> None:
            nonlocal done
            advance(step - done)
            done = step

        tuned = finetune(settings.job(progress), terms, training, watch)
    _print(tuned.judgement)
    if not tuned.judgement.improved:
        raise GateHeld("the tuned model is not better on the validation window; nothing is written")
    save(settings.job(progress), tuned, options.out)
    shown = console()
    shown.print(f"\nWritten to {options.out}; what it is stands in its README.md.", markup=False)
    shown.print(
        f"Use it: recommender reindex --set recipe.content.text.model={options.out.resolve()}"
    )
    return 0


def _print(judgement: Judgement) -> None:
    headings = [("text alone, NDCG@10", "left"), *((name, "right") for name in FIGURES)]
    rows = [
        (
            name,
            f"{judgement.n[name]:,}",
            f"{judgement.before[name].value:.4f}",
            f"{judgement.after[name].value:.4f}",
            f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})",
        )
        for name, gain in judgement.gain.items()
    ]
    console().print(table(headings, rows))
