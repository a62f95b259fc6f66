"""The parser of the command line, how a command is declared, and arguments that several share."""

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from recommender.errors import RecommenderError

USAGE = 2


class UsageError(RecommenderError):
    """Arguments that a command cannot be called with, or not together."""

    exit_code = USAGE


Argument = tuple[str, Mapping[str, Any]]
"""The name of an argument, and how `argparse` declares it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the function that it runs, or else its `actions`, and what its help shows."""

    name: str
    description: str = ""
    arguments: tuple[Argument, ...] = ()
    run: Callable[[argparse.Namespace], int] | None = None
    actions: tuple["Command", ...] = ()


def command(
    name: str, description: str = "", *arguments: Argument
) -> Callable[[Callable[[argparse.Namespace], int]], Command]:
    """Declare a command with the function that it runs."""
    return lambda run: Command(name, description, arguments, run)


def argument(name: str, text: str, **options: Any) -> Argument:  # noqa: ANN401 - as argparse has them
    """An argument, with the text that help shows."""
    return name, {"help": text, **options}


def flag(name: str, text: str) -> Argument:
    """An option without a value."""
    return argument(name, text, action="store_true")


def number(name: str, default: float, text: str, metavar: str | None = "N") -> Argument:
    """An option of the type of its default, which help shows."""
    text = f"{text} (default {default:g})"
    return argument(name, text, type=type(default), default=default, metavar=metavar)


def repeated(name: str, metavar: str, text: str) -> Argument:
    """An option that can be given several times."""
    return argument(name, text, action="append", default=[], metavar=metavar)


class Renamed(argparse.Action):
    """An option under its old name, which is accepted with a warning for one release."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Warn, and take the value for the new option."""
        sys.stderr.write(
            f"recommender: {option_string} is now --{self.dest}; the old name is accepted for one "
            "release\n"
        )
        setattr(namespace, self.dest, values)


def renamed(old: str, new: str) -> Argument:
    """The old name of an option, which help does not show."""
    name = new.removeprefix("--")
    return old, {"action": Renamed, "dest": name, "help": argparse.SUPPRESS}


def file(name: str, text: str, *, metavar: str = "FILE", required: bool = False) -> Argument:
    """An option that names a file or folder."""
    return argument(name, text, type=Path, required=required, metavar=metavar)


def ids(name: str, metavar: str, text: str) -> tuple[Argument, Argument]:
    """Ids as arguments, and `--file` for a file of them."""
    of_file = file("--file", "read ids from FILE, one per line")
    return argument(name, text, nargs="*", metavar=metavar), of_file


JSON = flag("--json", "print JSON instead of a table")
COUNT = number("-n", 12, "number of items")
PLACEMENT = argument(
    "--placement", "placement (default: the recipe's first)", default="", metavar="NAME"
)
CANARY = argument(
    "--canary",
    "publish for this share of the requests only, such as 0.1",
    type=float,
    default=0.0,
    metavar="SHARE",
)
ITEMS = ids("items", "ITEM", "item ids, as in the catalogue")
_CONFIG = "settings file of the shop (default: $RECOMMENDER_CONFIG, then recommender.toml)"
_SET = "override a setting, such as store.url=redis://localhost (repeatable)"
COMMON = (
    argument("--config", _CONFIG, metavar="FILE"),
    argument("--set", _SET, action="append", default=[], dest="assignments", metavar="NAME=VALUE"),
    flag("--debug", "show the traceback when the command fails"),
)
"""The options that every command has, which may also stand before it."""
BEFORE = "before_"
"""What the names of common options begin with that stand before the command."""


def command_of(arguments: Sequence[str]) -> str:
    """The command that a command line names, behind common options; "" where it names none."""
    rest = iter(arguments)
    for each in rest:
        if each in {"--config", "--set"}:
            next(rest, None)
        elif not each.startswith("-"):
            return each
    return ""


def merge_common(options: argparse.Namespace) -> argparse.Namespace:
    """Merge the common options before the command into those behind it, which count first."""
    given = {name: getattr(options, BEFORE + name) for name in ("config", "assignments", "debug")}
    options.config = options.config or given["config"]
    options.assignments = [*given["assignments"], *options.assignments]
    options.debug = options.debug or given["debug"]
    return options


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

    def declare_common(self, *, before: bool = False) -> None:
        """Add the options of all commands, those `before` the command under names of their own."""
        common = self.add_argument_group("common options")
        for name, options in COMMON:
            own = options.get("dest", name.removeprefix("--"))
            common.add_argument(name, **{**options, "dest": BEFORE + own if before else own})

    def declare(self, command: Command) -> None:
        """Add the arguments of a command and the options of all, or else the command's actions."""
        for name, options in command.arguments:
            self.add_argument(name, **options)
        if command.run is not None:
            self.declare_common()
            self.set_defaults(command=command.run)
            return
        actions = self.add_subparsers(
            metavar="ACTION", required=True, dest="action", title="actions"
        )
        for action in command.actions:
            text = action.description
            actions.add_parser(action.name, help=text, description=f"{text}.").declare(action)
