"""`recommender tune`."""

import argparse
import time
from pathlib import Path

import tomli_w

from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress
from recommender.core.recipe import Recipe
from recommender.errors import ConfigError
from recommender.evaluation.harness import EvaluationPlan, prepare_harness
from recommender.evaluation.report import COLD
from recommender.evaluation.tuning import Trial, tune


def run(options: argparse.Namespace) -> int:
    """Search for better parameters of a recipe on validation windows, and write the result."""
    settings = settings_of(options)
    if options.minutes <= 0 or options.windows < 1:
        raise ConfigError("tune: --minutes must be above 0 and --windows at least 1")
    if options.out.exists():
        raise ConfigError(f"--out {options.out}: exists; name another file")
    job = settings.job(progress)
    ends = time.monotonic() + 60 * options.minutes
    evaluation = settings.evaluation
    harnesses = [
        prepare_harness(
            job, EvaluationPlan(evaluation.days, evaluation.test_from_s(), back=back, folds=1)
        )
        for back in range(options.windows)
    ]
    shown = console()
    shown.print(
        f"Each recipe is evaluated on {options.windows} validation windows of {evaluation.days} "
        f"days; the test period is not read. At most {options.minutes:g} minutes.\n"
    )

    def watch(trial: Trial) -> None:
        mark = "taken" if trial.taken else "     "
        shown.print(f"{trial.ndcg:.4f}  {mark}  {trial.change}", markup=False)

    recipe, best = tune(job.recipe, harnesses, lambda: time.monotonic() >= ends, watch)
    _write(options.out, recipe, best, settings.shop)
    outcome = "No change helped" if recipe == job.recipe else "Changes that helped were taken"
    shown.print(f'\n{outcome}: wrote {options.out}; use it with recipe = "{options.out}"')
    return 0


def _write(path: Path, recipe: Recipe, best: Trial, shop: str) -> None:
    figures = [
        f"# window {number}: NDCG@10 {one.ndcg().value:.4f}"
        + (f", simulated cold {one.ndcg(COLD).value:.4f}" if one.cold else "")
        for number, one in enumerate(best.results)
    ]
    text = "\n".join([f"# Tuned for {shop} on its validation windows.", *figures, "", ""])
    try:
        path.write_text(text + tomli_w.dumps(recipe.plain()), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}") from error
