"""`recommender evaluate` and `export`: options in, tables of results and lists out."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq

from recommender.artifacts.runs import require_run
from recommender.artifacts.store import Artifact
from recommender.build.contents import find_build
from recommender.build.job import Job
from recommender.cli.arguments import (
    JSON,
    UsageError,
    argument,
    command,
    file,
    flag,
    number,
    repeated,
)
from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, cut, progress, right, table, write, write_csv, written
from recommender.errors import DataError
from recommender.evaluation.experiments import (
    Evaluation,
    evaluate,
    heading,
    verdict,
)
from recommender.evaluation.external_lists import (
    ExternalLists,
    entries_table,
    published_lists,
    read_entries,
)
from recommender.evaluation.harness import EvaluationPlan
from recommender.evaluation.metrics import Interval
from recommender.evaluation.report import ALL, CATEGORY, COLD, SystemResult, worst_slice
from recommender.pages.charts import evaluation_page
from recommender.settings.model import Settings

NARROW = 24
MOST_SLICES = 6
OF_FIRST_TWELVE = ("hub_share", "coverage_12", "own_category", "by_chance")


@command(
    "evaluate",
    "Evaluate the recipe on held-out events against baselines, with 95 % intervals. The "
    "validation window is used unless --test is given.",
    argument(
        "--protocol",
        "predict the rest of a basket from an item (default), the next item of a history, or the "
        "last event of each user",
        choices=("basket", "next-item", "leave-one-out"),
        default="basket",
    ),
    repeated(
        "--placement",
        "NAME",
        "evaluate this placement (repeatable; default: all placements of the recipe)",
    ),
    flag("--test", "use the test period"),
    argument("--back", "move the validation window back N times", type=int, default=0, metavar="N"),
    number("--folds", 3, "folds of simulated cold items, at most"),
    repeated(
        "--lists",
        "NAME=FILE",
        "also evaluate lists of another system: CSV or Parquet with item, related, and score or "
        "rank (repeatable)",
    ),
    argument(
        "--generation",
        "also evaluate a published generation (default: the live one)",
        nargs="?",
        const="live",
        metavar="NUMBER",
    ),
    JSON,
    file("--html", "also write a page with charts"),
)
def _evaluate(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    for name in ("folds", "back"):
        if getattr(options, name) < 0:
            raise UsageError(f"--{name} {getattr(options, name)}: must not be negative")
    plan = EvaluationPlan(
        days=settings.evaluation.days,
        test_from=settings.evaluation.test_from_s(),
        test=options.test,
        back=options.back,
        folds=options.folds,
        protocol=options.protocol,
    )
    placement = options.placement[0] if options.placement else ""
    published = _generation(settings, options.generation, placement)
    external = [*_lists(options.lists), *published]
    job = settings.job(progress)
    if options.placement:
        job = replace(job, recipe=job.recipe.only(options.placement))
    evaluation = evaluate(job, plan, external)
    if options.html:
        write("--html", options.html, evaluation_page(settings.shop, evaluation))
    if options.json:
        sys.stdout.write(json.dumps(evaluation.plain(), indent=1) + "\n")
    else:
        show(evaluation)
    return 0


def _lists(given: list[str]) -> Iterator[ExternalLists]:
    for assignment in given:
        name, sign, path = assignment.partition("=")
        if not (sign and name.strip() and path):
            raise UsageError(f"--lists {assignment!r}: write NAME=FILE")
        yield ExternalLists(name.strip(), *read_entries(Path(path)))


def _generation(settings: Settings, wanted: str | None, placement: str) -> Iterator[ExternalLists]:
    if wanted is None:
        return
    job = settings.job(progress)
    number, build = _published(settings, job, wanted)
    yield published_lists(job, build, f"generation {number}", placement)


def _published(settings: Settings, job: Job, wanted: str) -> tuple[int, Artifact]:
    """The number and the build of a generation; `live` is the one that is read now."""
    if wanted == "live":
        with publisher(settings) as shop:
            live = shop.live()
        if live is None:
            raise DataError(f"nothing is published for shop {settings.shop}: run reindex first")
        return live.id, find_build(job.artifacts, live.lists_key)
    if not wanted.isdecimal():
        raise UsageError(f"--generation {wanted!r}: give the number of a generation")
    run = require_run(job.artifacts, int(wanted))
    return run.number, find_build(job.artifacts, run.build)


@command(
    "export",
    "Write the published lists of a shop to a file, before overlays and hidden items.",
    argument("what", "what to write", choices=("lists",)),
    file("--out", "the file: Parquet where its name ends so, else CSV", required=True),
    argument("--generation", "number of a generation (default: live)", default="live", metavar="N"),
)
def export(options: argparse.Namespace) -> int:
    """Write the lists of a generation as a table of entries."""
    settings = settings_of(options)
    job = settings.job(progress)
    number, build = _published(settings, job, options.generation)
    entries = entries_table(job, build)
    if options.out.suffix == ".parquet":
        with written("--out", options.out):
            pq.write_table(entries, options.out)
    else:
        rows = (tuple(row.values()) for batch in entries.to_batches() for row in batch.to_pylist())
        write_csv("--out", options.out, chain([entries.column_names], rows))
    sys.stdout.write(f"{entries.num_rows:,} entries of generation {number}: {options.out}\n")
    return 0


def show(evaluation: Evaluation) -> None:
    """Print the tables of an evaluation, at most 100 columns wide."""
    shown = console()
    shown.print(heading(evaluation))
    shown.print()
    shown.print(_overall(evaluation.results))
    shown.print()
    shown.print("The lists as a whole", style="bold")
    shown.print(_lists_as_a_whole(evaluation.results))
    shown.print()
    shown.print("NDCG@10 by slice", style="bold")
    shown.print(_slices(evaluation))
    if any(name.startswith(CATEGORY) for name in evaluation.sizes):
        shown.print()
        shown.print("NDCG@10 by category", style="bold")
        shown.print(_categories(evaluation))
    shown.print()
    ours = evaluation.results[0].name
    shown.print(f"NDCG@10 of {ours} minus theirs, with 95 % interval", style="bold")
    shown.print(_differences(evaluation))
    shown.print()
    shown.print(verdict(evaluation))
    for note in evaluation.notes:
        shown.print(f"Note: {note}.")


def _overall(results: tuple[SystemResult, ...]) -> object:
    rows = []
    for one in results:
        metrics = one.slices[ALL].metrics
        rows.append(
            (
                cut(one.name, NARROW),
                *(_figure(metrics[name].value) for name in ("hit_rate", "ndcg")),
                _range(metrics["ndcg"]),
                _figure(metrics["debiased_ndcg"].value),
                *(_figure(metrics[name].value) for name in ("mrr", "recall")),
            )
        )
    names = ("hit@10", "NDCG@10", "95 %", "debiased NDCG", "MRR", "recall")
    return table(["system", *right(*names)], rows)


def _lists_as_a_whole(results: tuple[SystemResult, ...]) -> object:
    rows = []
    for one in results:
        rows.append(
            (
                cut(one.name, NARROW),
                *(_share(one.lists.get(name)) for name in OF_FIRST_TWELVE),
                *(_figure(one.lists[name]) for name in ("coverage", "gini")),
                f"{one.lists['novelty']:.1f}",
                _figure(one.lists["intra_list_similarity"]),
            )
        )
    shown = ("hub share", "coverage@12", "own category", "by chance")
    names = (*shown, "coverage@10", "Gini", "novelty", "ILS")
    return table(["system", *right(*names)], rows)


def _slices(evaluation: Evaluation) -> object:
    sizes = evaluation.sizes
    names = [name for name in sizes if name != ALL and not name.startswith(CATEGORY)]
    names = names[:MOST_SLICES]
    rows: list[tuple[str | int, ...]] = [("queries", *(sizes[name] for name in names))]
    for one in evaluation.results:
        parts = [one.slices.get(name) for name in names]
        cells = [_figure(part.metrics["ndcg"].value) if part and part.n else "-" for part in parts]
        rows.append((cut(one.name, NARROW), *cells))
    return table(["system", *right(*names)], rows)


def _categories(evaluation: Evaluation) -> object:
    ours, *others = evaluation.results
    rows = []
    for name, n in evaluation.sizes.items():
        if not name.startswith(CATEGORY):
            continue
        best = max(others, key=lambda one: one.ndcg(name).value)
        mean = ours.ndcg(name)
        rows.append(
            (
                cut(name.removeprefix(CATEGORY), NARROW),
                n,
                _figure(mean.value),
                _range(mean),
                cut(best.name, NARROW),
                _figure(best.ndcg(name).value),
            )
        )
    figures = right("queries", cut(ours.name, NARROW), "95 %")
    return table(["category", *figures, "best of the others", *right("NDCG")], rows)


def _differences(evaluation: Evaluation) -> object:
    rows = []
    for name, parts in evaluation.differences.items():
        worst = worst_slice(parts, evaluation.sizes)
        cold = parts.get(COLD)
        rows.append(
            (
                cut(name, NARROW),
                _signed(parts[ALL]),
                _signed(evaluation.debiased[name]),
                f"{cut(worst, NARROW)} {_signed(parts[worst])}" if worst != ALL else "",
                _signed(cold) if cold else "",
            )
        )
    return table(["against", "all", "all, debiased", "worst slice", COLD], rows)


def _figure(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _range(mean: Interval) -> str:
    return f"{_figure(mean.low)}-{_figure(mean.high)}"


def _signed(mean: Interval) -> str:
    low, value, high = (
        f"{number:+.3f}".replace("0.", ".", 1) for number in (mean.low, mean.value, mean.high)
    )
    return f"{value} ({low} {high})"
