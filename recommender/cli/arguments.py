"""The parser of the command line, and the arguments that several commands share."""

import argparse
import difflib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from recommender.errors import DataError

USAGE = 2


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line, with a suggestion for a misspelt choice."""

    def error(self, message: str) -> NoReturn:
        """Report a usage error in one line and exit with code 2."""
        sys.stderr.write(f"{self.prog}: {message}; see {self.prog} --help\n")
        raise SystemExit(USAGE)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            near = difflib.get_close_matches(str(value), names, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            self.error(f"there is no {value!r}{hint}; there are {', '.join(names)}")

    def runs(self, command: Callable[[argparse.Namespace], int]) -> None:
        """Add the options that every command has, and the function that the command runs."""
        common = self.add_argument_group("common options")
        common.add_argument(
            "--config",
            metavar="FILE",
            help="settings file of the shop (default: $RECOMMENDER_CONFIG, then recommender.toml)",
        )
        common.add_argument(
            "--set",
            action="append",
            default=[],
            dest="assignments",
            metavar="NAME=VALUE",
            help="override a setting, such as store.url=redis://localhost (repeatable)",
        )
        common.add_argument(
            "--debug", action="store_true", help="show the traceback when the command fails"
        )
        self.set_defaults(command=command)


def add_json(parser: Parser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_file(parser: Parser, option: str, help_text: str, *, required: bool = False) -> None:
    """Add an option that names a file to write."""
    parser.add_argument(option, type=Path, required=required, metavar="FILE", help=help_text)


def add_count(parser: Parser) -> None:
    """Add `-n`, the number of items to show."""
    parser.add_argument(
        "-n", type=int, default=12, metavar="N", help="number of items (default 12)"
    )


def add_placement(parser: Parser) -> None:
    """Add `--placement`, one placement of the recipe."""
    parser.add_argument(
        "--placement", default="", metavar="NAME", help="placement (default: the recipe's first)"
    )


def add_ids(parser: Parser, name: str, metavar: str, help_text: str) -> None:
    """Add ids as arguments, and `--file` for a file of them."""
    parser.add_argument(name, nargs="*", metavar=metavar, help=help_text)
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="read ids from FILE, one per line"
    )


def ids_in(path: Path | None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not empty, with their numbers; none without a file.

    Raises: DataError naming the file.
    """
    if path is None:
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8, byte {error.start}") from error
    for number, line in enumerate(lines, 1):
        if line:
            yield number, line
