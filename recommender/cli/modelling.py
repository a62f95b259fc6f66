"""`recommender tune`, `finetune`, `train-words` and `cluster`."""

import argparse
import time
from collections.abc import Iterator, Sequence

import tomli_w

from recommender.build.job import Job
from recommender.cli.arguments import (
    UsageError,
    argument,
    command,
    file,
    number,
    renamed,
    repeated,
)
from recommender.cli.session import settings_of
from recommender.cli.terminal import console, cut, progress, right, table, write, write_csv
from recommender.core.catalogue import Catalogue, clean
from recommender.core.recipe import Recipe
from recommender.core.vectors import Embeddings, joined_content
from recommender.errors import ConfigError, GateHeld
from recommender.evaluation.finetuning import FinetuningResult, finetune, save
from recommender.evaluation.harness import EvaluationPlan, prepare_harness
from recommender.evaluation.report import COLD
from recommender.evaluation.tuning import Trial, tune
from recommender.evaluation.word_vectors import WordTraining, train_words
from recommender.insights.clusters import Clustering, Clusters, drawn_for_map, projected
from recommender.pages.charts import cluster_page
from recommender.pipeline import content_embeddings, read_shop_columns
from recommender.settings.loading import load_without_file
from recommender.settings.model import Settings
from recommender.vectors.content.adapter import AdapterTraining

SHOWN, EXAMPLES, EXAMPLE_WIDTH = 40, 3, 62
UNNAMED = "(various)"
FIGURES = ("queries", "before", "after", "gain, 95 % interval")


@command(
    "tune",
    "Search for a better recipe on the validation windows, and write it to a file. The test "
    "period is never used.",
    number("--minutes", 30.0, "start no trial after this time", metavar=None),
    number("--windows", 2, "number of windows"),
    file("--out", "recipe file to write", required=True),
)
def _tune(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.minutes <= 0 or options.windows < 1:
        raise UsageError("tune: --minutes must be above 0 and --windows at least 1")
    if options.out.exists():
        raise ConfigError(f"--out {options.out} exists already; name another file")
    job = settings.job(progress)
    ends = time.monotonic() + 60 * options.minutes
    days, test_from = settings.evaluation.days, settings.evaluation.test_from_s()
    harnesses = [
        prepare_harness(job, EvaluationPlan(days, test_from, back=back, folds=1))
        for back in range(options.windows)
    ]
    shown = console()
    shown.print(
        f"Each recipe is evaluated on {options.windows} validation windows of {days} days; "
        f"the test period is not used. At most {options.minutes:g} minutes.\n"
    )

    def watch(trial: Trial) -> None:
        mark = "taken" if trial.taken else "     "
        shown.print(f"{trial.ndcg:.4f}  {mark}  {trial.change}")

    recipe, best = tune(job.recipe, harnesses, lambda: time.monotonic() >= ends, watch)
    write("--out", options.out, _recipe_file(recipe, best, settings.shop))
    outcome = "No change helped" if recipe == job.recipe else "Found a better recipe"
    shown.print(f'\n{outcome}: wrote {options.out}; use it with recipe = "{options.out}"')
    return 0


def _recipe_file(recipe: Recipe, best: Trial, shop: str) -> str:
    figures = [
        f"# window {number}: NDCG@10 {one.ndcg().value:.4f}"
        + (f", simulated cold {one.ndcg(COLD).value:.4f}" if one.cold else "")
        for number, one in enumerate(best.results)
    ]
    heading = f"# Tuned for {shop} on its validation windows."
    return "\n".join([heading, *figures, "", tomli_w.dumps(recipe.plain())])


@command(
    "finetune",
    "Fine-tune the text model on items that were bought together, and write it to a folder if it "
    "is better on the validation window. The exit code is 6 if it is not.",
    file("--out", "model folder to write", metavar="FOLDER", required=True),
    number("--steps", 400, "maximum number of steps"),
    number("--seed", 0, "random seed"),
)
def _finetune(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.out.exists():
        raise ConfigError(f"--out {options.out} exists already; name another folder")
    training = AdapterTraining(steps=options.steps, seed=options.seed)
    plan = EvaluationPlan(settings.evaluation.days, settings.evaluation.test_from_s())
    with progress("fine-tune", training.steps) as advance:
        done = 0

        def watch(step: int, _goodness: float) -> None:
            nonlocal done
            advance(step - done)
            done = step

        model = finetune(settings.job(progress), plan, training, watch)
    _print_result(model.result)
    if not model.result.improved:
        raise GateHeld(
            "the tuned model is not better on the validation window; nothing was written"
        )
    save(settings.job(progress), model, options.out)
    shown = console()
    shown.print(f"\nWritten to {options.out}; its README.md describes the model.")
    shown.print(
        f"Use it: recommender reindex --set recipe.content.text.model={options.out.resolve()}"
    )
    return 0


def _print_result(result: FinetuningResult) -> None:
    rows = [
        (
            name,
            result.n[name],
            f"{result.before[name].value:.4f}",
            f"{result.after[name].value:.4f}",
            f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})",
        )
        for name, gain in result.gain.items()
    ]
    console().print(table(["text alone, NDCG@10", *right(*FIGURES)], rows))


@command(
    "train-words",
    "Train word vectors on the texts and baskets of the shop, for the text encoder static.",
    file("--out", "file to write, such as words.bin", required=True),
    number("--dimensions", 256, "dimensions"),
    number("--min-texts", 1, "ignore words that are in fewer texts"),
)
def _train_words(options: argparse.Namespace) -> int:
    training = WordTraining(options.dimensions, options.min_texts)
    vectors = train_words(settings_of(options).job(progress), training, options.out)
    count, dimensions = vectors.matrix.shape
    setting = f'in the recipe: text = {{ use = "static", path = "{options.out.resolve()}" }}'
    shown = console()
    shown.print(f"{count:,} words of {dimensions} dimensions in {options.out}")
    shown.print(setting, soft_wrap=True)
    return 0


@command(
    "cluster",
    "Group the items of the catalogue, or the rows of any table with an id and a text, by their "
    "texts, and name the groups.",
    file("--table", "CSV, JSON lines or Parquet file to group"),
    argument("--id", "column of ids in the table", default="", metavar="COLUMN"),
    repeated("--text", "COLUMN", "column of texts in the table (repeatable)"),
    argument(
        "--groups", "number of groups (default: chosen by the data)", default="auto", metavar="N"
    ),
    renamed("--k", "--groups"),
    file("--csv", "write item, cluster, name and title to a CSV file"),
    file("--html", "write a map of the groups"),
)
def _cluster(options: argparse.Namespace) -> int:
    settings = _of_table(options) if options.table else settings_of(options)
    clustering = Clustering(k=_number(options.groups))
    catalogue, text = _embedded(settings.job(progress))
    titles = [clean(title) for title in catalogue.title]
    clusters = clustering.fit(titles, text.matrix)
    if options.csv is not None:
        write_csv("--csv", options.csv, _members(catalogue, titles, clusters))
    if options.html is not None:
        rows = drawn_for_map(clusters.label)
        with progress("draw the map", 1) as advance:
            places = projected(text.matrix[rows])
            advance(1)
        name = options.table.name if options.table else settings.shop
        drawn = [catalogue.ids.ids[row] for row in rows]
        made = cluster_page(name, drawn, titles, clusters, rows, places)
        write("--html", options.html, made)
    _print_groups(clusters, titles)
    return 0


def _of_table(options: argparse.Namespace) -> Settings:
    """Settings that read a table as a catalogue, and nothing else."""
    if not (options.id and options.text):
        raise UsageError("--table needs --id COLUMN and --text COLUMN (repeatable)")
    if options.config:
        raise UsageError("--table and --config: give one of them")
    if not options.table.is_file():
        raise ConfigError(f"--table {options.table}: no such file")
    return load_without_file(
        {
            "shop": "table",
            "catalogue": {
                "path": str(options.table.resolve()),
                "columns": {"item": options.id, "title": options.text}
                | dict.fromkeys(("description", "brand", "category"), "")
                | dict.fromkeys(("price", "group", "in_stock", "available_from"), ""),
            },
        },
        options.assignments,
    )


def _number(given: str) -> int:
    if given == "auto":
        return 0
    if not (given.isascii() and given.isdigit() and int(given) >= 2):
        raise UsageError(f"--groups {given}: give a number of at least 2, or auto")
    return int(given)


def _embedded(job: Job) -> tuple[Catalogue, Embeddings]:
    read, catalogue, _ = read_shop_columns(job)
    return catalogue, joined_content(content_embeddings(job, read))


def _print_groups(clusters: Clusters, titles: Sequence[str]) -> None:
    shown = console()
    rows = [
        (group.name or UNNAMED, len(group.rows), _examples(group.rows.tolist(), titles))
        for group in clusters.groups[:SHOWN]
    ]
    shown.print(table(["group", *right("items"), ("most typical", "cut")], rows))
    more = len(clusters.groups) - SHOWN
    if more > 0:
        shown.print(f"and {more:,} more; --csv FILE and --html FILE have all")
    without = int((clusters.label < 0).sum())
    no_text = f", {without:,} items have no text" if without else ""
    shown.print(f"\n{len(clusters.groups):,} groups of {len(titles) - without:,} items{no_text}.")


def _examples(rows: Sequence[int], titles: Sequence[str]) -> str:
    distinct = dict.fromkeys(titles[row] for row in rows)
    return cut("; ".join(list(distinct)[:EXAMPLES]), EXAMPLE_WIDTH)


def _members(
    catalogue: Catalogue, titles: Sequence[str], clusters: Clusters
) -> Iterator[tuple[object, ...]]:
    """The rows of the CSV file, by id: each item with its group, if it is in one."""
    names = [group.name for group in clusters.groups]
    labels = clusters.label.tolist()
    yield "item", "cluster", "name", "title"
    for item, label, title in sorted(zip(catalogue.ids.ids, labels, titles, strict=True)):
        yield item, *((label, names[label]) if label >= 0 else ("", "")), title
