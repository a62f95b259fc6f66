"""`recommender evaluate`."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from recommender.artifacts.runs import require_run
from recommender.build.contents import find_build
from recommender.cli.arguments import Parser, add_file, add_json
from recommender.cli.evaluation_page import page
from recommender.cli.judgement import show
from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import progress
from recommender.errors import ConfigError, DataError
from recommender.evaluation.experiments import evaluate, published_lists
from recommender.evaluation.harness import Terms
from recommender.evaluation.ready_made import ReadyMade, read_entries
from recommender.settings.model import Settings


def add_evaluate(parser: Parser) -> None:
    """Declare `recommender evaluate`."""
    parser.description = (
        "Evaluate the recipe on held-out events against baselines, with 95 % intervals. The "
        "validation window is used unless --test is given."
    )
    parser.add_argument(
        "--protocol",
        choices=("basket", "next-item"),
        default="basket",
        help="predict the rest of a basket from an item (default), or the next item of a history",
    )
    parser.add_argument(
        "--placement",
        action="append",
        default=[],
        metavar="NAME",
        help="evaluate this placement (repeatable; default: all placements of the recipe)",
    )
    parser.add_argument("--test", action="store_true", help="use the test period")
    parser.add_argument(
        "--back", type=int, default=0, metavar="N", help="move the validation window back N times"
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=3,
        metavar="N",
        help="folds of simulated cold items (default 3)",
    )
    parser.add_argument(
        "--lists",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="also evaluate lists of another system: CSV or Parquet with item, related, and score "
        "or rank (repeatable)",
    )
    parser.add_argument(
        "--generation",
        nargs="?",
        const="live",
        metavar="NUMBER",
        help="also evaluate a published generation (default: the live one)",
    )
    add_json(parser)
    add_file(parser, "--html", "also write a page with charts")
    parser.runs(evaluate_recipe)


def evaluate_recipe(options: argparse.Namespace) -> int:
    """Evaluate the recipe of a shop against the baselines, and print the figures."""
    settings = settings_of(options)
    for name in ("folds", "back"):
        if getattr(options, name) < 0:
            raise ConfigError(f"--{name} {getattr(options, name)}: must not be negative")
    terms = Terms(
        days=settings.evaluation.days,
        test_from=settings.evaluation.test_from_s(),
        test=options.test,
        back=options.back,
        folds=options.folds,
        protocol=options.protocol,
    )
    placement = options.placement[0] if options.placement else ""
    published = _generation(settings, options.generation, placement)
    ready_made = [*_lists(options.lists), *published]
    job = settings.job(progress)
    if options.placement:
        job = replace(job, recipe=job.recipe.only(options.placement))
    evaluation = evaluate(job, terms, ready_made)
    if options.html:
        _write(options.html, page(settings.shop, evaluation))
    if options.json:
        sys.stdout.write(json.dumps(evaluation.plain(), indent=1) + "\n")
    else:
        show(evaluation)
    return 0


def _lists(given: list[str]) -> Iterator[ReadyMade]:
    for assignment in given:
        name, sign, path = assignment.partition("=")
        if not (sign and name.strip() and path):
            raise ConfigError(f"--lists {assignment!r}: write NAME=FILE")
        yield ReadyMade(name.strip(), *read_entries(Path(path)))


def _generation(settings: Settings, wanted: str | None, placement: str) -> Iterator[ReadyMade]:
    if wanted is None:
        return
    job = settings.job(progress)
    if wanted == "live":
        with publisher(settings) as shop:
            live = shop.live()
        if live is None:
            raise DataError(f"nothing is published for shop {settings.shop}: run reindex first")
        number, key = live.id, live.lists_key
    else:
        if not wanted.isdecimal():
            raise ConfigError(f"--generation {wanted!r}: give the number of a generation")
        number = int(wanted)
        key = require_run(job.artifacts, number).build
    build = find_build(job.artifacts, key)
    yield published_lists(job, build, f"generation {number}", placement)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--html {path}: {error.strerror}") from error
