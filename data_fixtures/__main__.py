"""`python -m data_fixtures`: write one of the example data sets."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from data_fixtures import complete_journey, online_retail, small_shop
from data_fixtures.download import download
from data_fixtures.errors import FixtureDataError

EXIT_USAGE, EXIT_DATA = 2, 4


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave with the exit code of a wrong call."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "online-retail":
        _check_source(parser, options)
    try:
        result = _COMMANDS[options.command](options)
    except (FixtureDataError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: {' '.join(str(error).split())}\n")
        return EXIT_DATA
    sys.stdout.write(f"{result}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    """The three commands and their options."""
    parser = OneLineParser(prog="data_fixtures", description="Write an example data set.")
    commands = parser.add_subparsers(dest="command", required=True)
    shop = commands.add_parser("small-shop", help="generate a small shop with known answers")
    shop.add_argument("--seed", type=_seed, default=0)
    journey = commands.add_parser("complete-journey", help="convert 84.51° Complete Journey")
    journey.add_argument("--sample", action="store_true", help="write the small sample instead")
    retail = commands.add_parser("online-retail", help="import UCI Online Retail")
    retail.add_argument("path", type=Path, nargs="?", help="CSV, gzipped CSV or UCI's zip")
    retail.add_argument(
        "--download", metavar="URL", nargs="?", const=online_retail.ARCHIVE_URL, help="fetch it"
    )
    retail.add_argument("--sha256", help="checksum that the download must have")
    for command in (shop, journey, retail):
        command.add_argument("--out", type=Path, required=True, help="folder to write to")
    return parser


def _seed(text: str) -> int:
    """A number that can seed a generator."""
    seed = int(text)
    if seed < 0:
        raise argparse.ArgumentTypeError(f"must not be negative: {text}")
    return seed


def _check_source(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Online Retail comes from one place, and a checksum is that of a download."""
    if (options.path is None) == (options.download is None):
        parser.error("online-retail takes either PATH or --download")
    if options.sha256 is not None and options.download is None:
        parser.error("--sha256 goes with --download")


def _small_shop(options: argparse.Namespace) -> str:
    """Write the generated shop."""
    shop = small_shop.generate(options.seed)
    small_shop.write(shop, options.out)
    return (
        f"{options.out}: {len(shop.items):,} items, {len(shop.events.orders):,} order lines, "
        f"{len(shop.events.views):,} views"
    )


def _complete_journey(options: argparse.Namespace) -> str:
    """Write all of Complete Journey or its sample."""
    journey = complete_journey.load()
    if options.sample:
        journey = complete_journey.draw_sample(journey)
        complete_journey.write_sample(journey, options.out)
    else:
        complete_journey.write_full(journey, options.out)
    return (
        f"{options.out}: {len(journey.catalogue):,} products, {len(journey.orders):,} order lines, "
        f"{journey.orders['basket_id'].nunique():,} baskets"
    )


def _online_retail(options: argparse.Namespace) -> str:
    """Import Online Retail from a file or from the address it is published at."""
    if options.path is not None:
        n_rows = online_retail.import_online_retail(options.path, options.out)
    else:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "online_retail"
            download(options.download, archive, sha256=options.sha256)
            n_rows = online_retail.import_online_retail(archive, options.out)
    return f"{options.out}: {n_rows:,} invoice lines"


_COMMANDS = {
    "small-shop": _small_shop,
    "complete-journey": _complete_journey,
    "online-retail": _online_retail,
}

if __name__ == "__main__":
    sys.exit(main())
