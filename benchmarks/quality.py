"""The default recipe, its parts and its alternatives, evaluated on the same queries.

    python -m benchmarks.quality --config FILE [--windows N] [--folds N] [--test] [--only NAME ...]

Prints a Markdown table for each window, for benchmarks/quality.md: first the recipe of the
settings file, then that recipe with one part exchanged, simpler recipes, and the baselines. Without
`--test` only validation windows are read.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine
from recommender.build.job import Job
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.evaluation.experiments import evaluate_baselines, log_test_use
from recommender.evaluation.harness import EvaluationPlan, Harness, prepare_harness
from recommender.evaluation.metrics import Interval
from recommender.evaluation.report import ALL, COLD, SystemResult
from recommender.settings.loading import load

PLAIN_SVD = {"half_life_days": 0.0, "size_power": 0.0, "shrinkage": 0.0, "popularity": 0.0}
NEAREST = (Choice("nearest"),)
SLICES = (ALL, "tail", "torso", "head", "new", COLD)


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=2, help="validation windows (default 2)")
    parser.add_argument("--folds", type=int, default=3, help="of simulated cold items (default 3)")
    parser.add_argument("--test", action="store_true", help="the test period, and no other window")
    parser.add_argument("--only", action="append", default=[], help="variants, by name")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    options = parser.parse_args()
    settings = load(options.config, options.assignments)
    job, evaluation = settings.job(), settings.evaluation
    about = machine()
    sys.stdout.write(f"{about['processor']}, {about['cores']} cores, Python {about['python']}.\n")
    for back in [None] if options.test else range(options.windows):
        harness = prepare_harness(
            job,
            EvaluationPlan(
                evaluation.days,
                evaluation.test_from_s(),
                test=options.test,
                back=back or 0,
                folds=options.folds,
            ),
        )
        if options.test:
            facts = {"name": "benchmarks.quality", "recipe": job.recipe.digest}
            uses = log_test_use(job.artifacts, facts)
            sys.stdout.write(f"Use {uses} of the test window in this state folder.\n")
        show(harness, job, options.only)


def variants(recipe: Recipe) -> Mapping[str, Recipe]:
    """The recipe, the recipe with one part exchanged, and simpler ones."""
    (ours, *_) = recipe.placements
    svd = recipe.interactions["behaviour"]
    sources = ours.candidates

    def placed(placement: Placement, behaviour: Choice = svd) -> Recipe:
        return replace(recipe, interactions={"behaviour": behaviour}, placements=(placement,))

    vectors_alone = replace(ours, candidates=NEAREST, ranker=Choice("identity"))
    gated = replace(vectors_alone, fusion=Choice("gated"))
    return {
        "**default**": placed(ours),
        "without its ranker: learned vectors alone": placed(vectors_alone),
        "gate instead of learned fusion": placed(replace(ours, fusion=Choice("gated"))),
        **{
            f"without candidates of {left_out.use}": placed(
                replace(ours, candidates=tuple(one for one in sources if one != left_out))
            )
            for left_out in sources[1:]
        },
        "gate alone (`quick`)": placed(gated),
        "gate alone on plain SVD": placed(gated, Choice("co-occurrence-svd", PLAIN_SVD)),
        "gate alone on ALS": placed(gated, Choice("als")),
        "gate alone on item2vec": placed(gated, Choice("item2vec")),
    }


def show(harness: Harness, job: Job, only: Sequence[str]) -> None:
    """Print one window: figures by slice, and differences from the first."""
    window = harness.window
    days = [datetime.fromtimestamp(at, UTC).date() for at in (window.start, window.until)]
    kind = "Test" if harness.plan.test else "Validation"
    sys.stdout.write(f"\n### {kind} window {days[0]} to {days[1]}\n\n")
    sys.stdout.write(f"{len(harness.queries):,} queries, {len(window.train):,} events.\n\n")
    headings = ("lists from", "hit@10", "NDCG@10", *SLICES[1:], "coverage", "default minus it", "s")
    line(headings)
    line(["---"] * len(headings))
    first: SystemResult | None = None
    for name, result, seconds in everyone(harness, job, only):
        first = first or result
        difference = None if result is first else harness.differences(first, result)[ALL]
        line(cells(name, result, difference, seconds))


def everyone(
    harness: Harness, job: Job, only: Sequence[str]
) -> Iterator[tuple[str, SystemResult, float | None]]:
    """Each variant with the seconds that its evaluation took, then the baselines."""
    for name, recipe in variants(job.recipe).items():
        if only and not any(part in name for part in only):
            continue
        started = time.perf_counter()
        result = harness.evaluate(recipe)
        yield name, result, time.perf_counter() - started
    if not only or "baselines" in only:
        for baseline in evaluate_baselines(harness, job.recipe)[0]:
            yield baseline.name, baseline, None


def cells(
    name: str, result: SystemResult, difference: Interval | None, seconds: float | None
) -> list[str]:
    """One row of the table."""
    everything = result.slices[ALL].metrics
    ndcg = everything["ndcg"]
    return [
        name,
        f"{everything['hit_rate'].value:.3f}",
        f"{ndcg.value:.4f} ({ndcg.low:.3f} to {ndcg.high:.3f})",
        *(figure(result, part) for part in SLICES[1:]),
        f"{result.lists['coverage']:.3f}",
        ""
        if difference is None
        else f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})",
        "" if seconds is None else f"{seconds:.0f}",
    ]


def figure(result: SystemResult, part: str) -> str:
    """NDCG of a slice, with how many queries it has."""
    if part not in result.slices:
        return ""
    found = result.slices[part]
    return f"{found.metrics['ndcg'].value:.3f} (n {found.n:,})" if found.n else ""


def line(row: Sequence[str]) -> None:
    """One line of a Markdown table, written at once: a run takes long."""
    sys.stdout.write(f"| {' | '.join(row)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
