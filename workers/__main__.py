"""`python -m workers`: begin, follow, resume and cancel runs; serve metrics."""

import argparse
import os
import sys
from collections.abc import Sequence

from kombu.exceptions import OperationalError

from recommender.artifacts.runs import Run
from recommender.cli.arguments import Parser
from recommender.core.redaction import guarded
from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from recommender.serving.urls import redacted
from recommender.settings.loading import CONFIG_VARIABLE, find_file, find_files, load
from workers import monitoring, run_planner, tasks
from workers.celery import configured, open_shop

EXIT_CODES = {"published": 0, "held": 6, "running": 0}


def run(arguments: Sequence[str]) -> int:
    """Run one command line; errors go to stderr in one line. Returns the exit code."""
    with guarded():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
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
    reindex.add_argument(
        "--force", action="store_true", help="also where nothing changed, without gates"
    )
    reindex.add_argument("--wait", action="store_true", help="follow the run to its end")
    reindex.set_defaults(run=_reindex)
    status = commands.add_parser("status", help="show the newest run of each shop and its steps")
    status.set_defaults(run=_status)
    served = commands.add_parser("metrics", help="serve the metrics of all shops to Prometheus")
    served.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)"
    )
    served.add_argument("--port", type=int, default=9465, help="port to listen on (default 9465)")
    served.set_defaults(run=_metrics)
    for name, act, what in (
        ("resume", _resume, "continue a run that failed or was cancelled"),
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
    with open_shop(load(paths[0]).shop) as (settings, publisher):
        begun = run_planner.begin(settings, publisher, force=options.force)
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
    ended = monitoring.follow(begun.id)
    if ended.error:
        sys.stderr.write(f"workers: {ended.error}\n")
    return EXIT_CODES.get(ended.state, 1)


def _status(_: argparse.Namespace) -> int:
    for path in find_files():
        settings = load(path)
        newest = monitoring.newest_run(settings)
        lines = monitoring.status_lines(newest.id) if newest else [f"{settings.shop}: no run yet"]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _metrics(options: argparse.Namespace) -> int:
    configured()
    monitoring.serve_metrics(options.host, options.port)
    return 0


def _resume(options: argparse.Namespace) -> int:
    """Continue a run under a new number; one that is running gets its message again."""
    with run_planner.open_run(options.id) as planner:
        run = planner.run
        if run.state in {"published", "held"}:
            raise ConfigError(f"run {run.id} is {run.state}; there is nothing to resume")
        if run.state != "running":
            run = planner.continued(run.state)
    return _sent(run, wait=False)


def _cancel(options: argparse.Namespace) -> int:
    """End a run; its artifacts stay for the next run."""
    with run_planner.open_run(options.id) as planner:
        run = planner.run
        if run.state not in {"running", "held"}:
            raise ConfigError(f"run {run.id} is {run.state}; there is nothing to cancel")
        run.save(planner.store, state="cancelled")
    sys.stdout.write(f"{run.id} cancelled\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
