"""The entry point: it finds the command, runs it, and turns errors into messages and exit codes.

Only the standard library is imported here. The module of a command is imported when the command
is named, so `recommender --help` is fast and needs no extra.

The exit codes are those of `EPILOG`; 130 after SIGINT and 143 after SIGTERM.
"""

import argparse
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from typing import NoReturn

from recommender.cli.arguments import Command, Parser, command_of, merge_common
from recommender.core.redaction import guarded, occupy_closed_descriptors
from recommender.errors import EXTRAS, RecommenderError

INTERNAL, CONFIGURATION = 1, 3
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Build and publish": {
        "init": ("init", "Write a settings file for the files of a shop"),
        "demo": ("reindex", "Build a small grocery shop and show some of its lists"),
        "reindex": ("reindex", "Build and publish all related lists of a shop"),
        "refresh": ("reindex", "Update the lists of new or changed items, without a reindex"),
        "rules": ("rules", "Check, preview or apply merchandising rules"),
    },
    "Manage what is live": {
        "status": ("releases", "Show the live generation"),
        "generations": ("releases", "List the published generations"),
        "diff": ("releases", "Compare the lists of two generations"),
        "approve": ("releases", "Publish a build that a gate held"),
        "promote": ("releases", "Make the canary live for all requests"),
        "rollback": ("releases", "Withdraw the canary, or return to an earlier generation"),
        "hide": ("hiding", "Remove items from all lists immediately"),
        "unhide": ("hiding", "Show hidden items again"),
        "items": ("items", "Change price, stock and other fields of items immediately"),
    },
    "Look up and explain": {
        "related": ("lookup", "Show the related items of one item or several"),
        "search": ("search", "Find items by a few words"),
        "explain": ("insights", "Explain why an item is in the list of another, or why not"),
        "lint": ("insights", "Find problems in the catalogue and in the live lists"),
        "cluster": ("modelling", "Group items by their texts and name the groups"),
    },
    "Evaluate and train": {
        "evaluate": ("evaluate", "Evaluate the recipe against baselines on held-out baskets"),
        "depth": ("depth", "Propose how deep lists are published, by what filters drop"),
        "export": ("evaluate", "Write the published lists to a CSV or Parquet file"),
        "tune": ("modelling", "Search for a better recipe on the validation windows"),
        "finetune": ("modelling", "Fine-tune the text model on items bought together"),
        "train-words": ("modelling", "Train word vectors on the texts of the shop"),
    },
    "Run and maintain": {
        "serve": ("serve", "Serve related items over HTTP"),
        "console": ("console", "See the lists, and why they are so, in a browser"),
        "mcp": ("agents", "Answer agents over the Model Context Protocol"),
        "keys": ("keys", "Make and list API keys of recommender serve"),
        "store": ("maintenance", "Start or stop the embedded store"),
        "doctor": ("maintenance", "Check this machine, the settings and the store"),
        "config": ("maintenance", "Print the settings in force as TOML"),
        "completion": ("completion", "Print a script that completes commands in a shell"),
        "gc": ("maintenance", "Delete artifacts that are no longer needed"),
        "verify": ("verification", "Find damaged artifacts, and remove them with --repair"),
        "forget-user": ("maintenance", "Exclude all events of some users from now on"),
    },
}
"""The commands: the module under `recommender.cli`, and the summary that help shows."""

EPILOG = """\
Exit codes: 0 success, 1 internal error, 2 usage, 3 configuration, 4 data,
5 artifact, 6 held by a gate, 7 store unavailable, 8 text API failed."""


class Terminated(KeyboardInterrupt):
    """SIGTERM asked the process to end."""


def main() -> NoReturn:
    """Run the command of this process and exit with its code."""
    occupy_closed_descriptors()
    signal.signal(signal.SIGTERM, _terminate)
    raise SystemExit(run(sys.argv[1:]))


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code. An error is one line on stderr."""
    with guarded():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    debug = "--debug" in arguments
    try:
        options = merge_common(build_parser(command_of(arguments)).parse_args(arguments))
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except RecommenderError as error:
        return _report(error, str(error), error.exit_code, debug=debug)
    except ModuleNotFoundError as error:
        return _report_missing(error, debug=debug)
    except KeyboardInterrupt as error:
        sys.stderr.write("recommender: interrupted; the live lists are unchanged\n")
        return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    except BrokenPipeError:  # of stdout; what is left in its buffer must not fail at the end
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the outer edge: anything else is a defect, reported in one line
        text = f"internal error: {type(error).__name__}: {error}; run again with --debug"
        return _report(error, text, INTERNAL, debug=debug)


def build_parser(*named: str) -> Parser:
    """The parser of the command line, with the arguments of the commands that are named.

    Help lists the commands by section; where several are named, for completion, argparse lists
    them, too.
    A module under `recommender.cli` declares its commands as objects of the type `Command`.
    """
    parser = Parser(
        prog="recommender",
        usage="recommender [COMMON OPTION]... COMMAND [OPTION]...\n"
        "       recommender COMMAND --help",
        description=_overview(),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=version("recommender"), help="print the version"
    )
    parser.declare_common(before=True)
    listed = "command" if len(named) > 1 else argparse.SUPPRESS
    commands = parser.add_subparsers(
        prog="recommender", metavar="COMMAND", required=True, help=listed
    )
    for section in SECTIONS.values():
        for name, (module, summary) in section.items():
            made = commands.add_parser(name, help=summary, description=f"{summary}.")
            if name in named:
                command = _declared(module, name)
                made.description = command.description or made.description
                made.declare(command)
    return parser


def _declared(module: str, name: str) -> Command:
    """The command that a module declares under a name."""
    group = vars(import_module(f"recommender.cli.{module}"))
    return next(each for each in group.values() if isinstance(each, Command) and each.name == name)


def _overview() -> str:
    lines = ["Build related-item lists from a catalogue and orders, and publish them to Redis."]
    for title, section in SECTIONS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<13} {summary}" for name, (_, summary) in section.items()]
    return "\n".join(lines)


def _report(error: BaseException, text: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    sys.stderr.write(f"recommender: {' '.join(text.split())}\n")
    return code


def _report_missing(error: ModuleNotFoundError, *, debug: bool) -> int:
    missing = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if missing in modules:
            text = f"{missing} is not installed; run pip install 'recommender[{extra}]'"
            return _report(error, text, CONFIGURATION, debug=debug)
    return _report(error, f"internal error: {error}; run again with --debug", INTERNAL, debug=debug)
