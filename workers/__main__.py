"""`python -m workers`: send a job to the workers."""

import argparse
import sys
from collections.abc import Sequence

from kombu.exceptions import OperationalError

from recommender.cli.main import Parser
from recommender.errors import RecommenderError, StoreUnavailable
from recommender.serving.connection import redacted
from workers import tasks
from workers.shops import configured


def run(arguments: Sequence[str]) -> int:
    """Run one command line; errors go to stderr in one line. Returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(f"{_send(options)}\n")
    except RecommenderError as error:
        sys.stderr.write(f"workers: {error}\n")
        return error.exit_code
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m workers", description="Send a job to the workers.")
    jobs = parser.add_subparsers(metavar="JOB", required=True)
    job = jobs.add_parser("reindex", help="bring the related lists of a shop up to date")
    job.add_argument("--shop", required=True, metavar="NAME", help="one of the configured shops")
    return parser


def _send(options: argparse.Namespace) -> str:
    shops = configured()
    shops.file(options.shop)
    try:
        return str(tasks.reindex.delay(options.shop).id)
    except OperationalError as error:
        reason = " ".join(str(error).split())
        raise StoreUnavailable(f"broker {redacted(shops.broker_url)}: {reason}") from error


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
