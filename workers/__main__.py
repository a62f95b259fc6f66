"""`python -m workers`: begin, follow, resume and cancel runs of the fleet."""

import argparse
import os
import sys
from collections.abc import Sequence

from kombu.exceptions import OperationalError

from recommender.artifacts.runs import Run
from recommender.cli.arguments import Parser
from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from recommender.serving.connection import redacted
from recommender.settings.loading import CONFIG_VARIABLE, find_file, find_files, load
from workers import metrics, runs, tasks, watching
from workers.course import shop_at_work
from workers.shops import configured

EXIT_CODES = {"published": 0, "held": 6, "running": 0}


def run(arguments: Sequence[str]) -> int:
    """Run one command line; errors go to stderr in one line. Returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.config:
            os.environ[CONFIG_VARIABLE] = str(find_file(options.config).resolve())
            configured.cache_clear()
        code: int = options.run(options)
    except RecommenderError as error:
        sys.stderr.write(f"workers: {error}\n")
        return error.exit_code
    except OperationalError as error:
        reason = " ".join(str(error).split())
        sys.stderr.write(f"workers: broker {redacted(configured().broker_url)}: {reason}\n")
        return StoreUnavailable.exit_code
    return code


def _parser() -> Parser:
    parser = Parser(prog="python -m workers", description="Runs of the fleet.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    reindex = commands.add_parser("reindex", help="bring the related lists of a shop up to date")
    reindex.add_argument("--force", action="store_true", help="even if unchanged, by no gate")
    reindex.add_argument("--wait", action="store_true", help="follow the run to its end")
    reindex.set_defaults(run=_reindex)
    status = commands.add_parser("status", help="what runs, at which stage, on which worker")
    status.set_defaults(run=_status)
    served = commands.add_parser("metrics", help="serve metrics of all shops to Prometheus")
    served.add_argument("--host", default="127.0.0.1", help="where to listen (default 127.0.0.1)")
    served.add_argument("--port", type=int, default=9465, help="default 9465")
    served.set_defaults(run=_metrics)
    for name, act, what in (
        ("resume", _resume, "go on with a run that failed or was cancelled"),
        ("cancel", _cancel, "end a run"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("id", metavar="RUN", help="SHOP.NUMBER")
        command.set_defaults(run=act)
    for command in commands.choices.values():
        command.add_argument("--config", metavar="FILE", help="instead of $RECOMMENDER_CONFIG")
    return parser


def _reindex(options: argparse.Namespace) -> int:
    paths = find_files()
    if len(paths) != 1:
        raise ConfigError("there are several shops; name one with --config FILE")
    with shop_at_work(load(paths[0]).shop) as (settings, publisher):
        begun = runs.begin(settings, publisher, force=options.force)
    if begun is None:
        sys.stdout.write(f"nothing changed; what is live of {settings.shop} stays live\n")
        return 0
    return _sent(begun, wait=options.wait)


def _sent(begun: Run, *, wait: bool) -> int:
    tasks.advance.delay(begun.id)
    sys.stdout.write(f"{begun.id}\n")
    sys.stdout.flush()
    if not wait:
        return 0
    ended = watching.follow(begun.id)
    if ended.error:
        sys.stderr.write(f"workers: {ended.error}\n")
    return EXIT_CODES.get(ended.state, 1)


def _status(_: argparse.Namespace) -> int:
    for path in find_files():
        settings = load(path)
        newest = runs.newest(settings)
        told = watching.told(newest.id) if newest else [f"{settings.shop}: no run yet"]
        sys.stdout.write("\n".join(told) + "\n")
    return 0


def _metrics(options: argparse.Namespace) -> int:
    configured()
    metrics.serve(options.host, options.port)
    return 0


def _resume(options: argparse.Namespace) -> int:
    return _sent(runs.resume(options.id), wait=False)


def _cancel(options: argparse.Namespace) -> int:
    sys.stdout.write(f"{runs.cancel(options.id).id} cancelled\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
