"""`recommender keys`: the file of API keys of `recommender serve`."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.cli.arguments import Argument, Command, argument, command
from recommender.cli.terminal import console, table
from recommender.errors import ConfigError
from recommender.service.keys import ROLES, KeyRing, new_key, read_keys

FILE: Argument = argument("keys", "the file of keys", type=Path, metavar="FILE")


@command(
    "add",
    "Make a key, print it once, and add its digest to FILE",
    FILE,
    argument("name", "the name of the key, for logs and limits", metavar="NAME"),
    argument(
        "--roles",
        f"what the key may do, separated by commas: {', '.join(ROLES)} (default read)",
        default="read",
        metavar="ROLES",
    ),
)
def _add(options: argparse.Namespace) -> int:
    path: Path = options.keys
    known = read_keys(path)[0] if path.exists() and path.stat().st_size else []
    key, kept = new_key(options.name, options.roles.split(","))
    KeyRing([*known, kept])
    with _changing(path):
        text = path.read_text(encoding="utf-8") if known else ""
        _write(path, [*text.splitlines(), kept.line()])
    sys.stdout.write(f"{key}\n")
    return 0


@command("hash", "Replace the keys in FILE that are in plain text by their digests", FILE)
def _hash(options: argparse.Namespace) -> int:
    path: Path = options.keys
    known, plain = read_keys(path)
    if plain:
        with _changing(path):
            comments = [line for line in path.read_text("utf-8").splitlines() if line[:1] == "#"]
            _write(path, [*comments, *(key.line() for key in known)])
    sys.stdout.write(f"{plain} keys in plain text replaced by their digests.\n")
    return 0


@command("list", "Show the names and roles of the keys in FILE", FILE)
def _list(options: argparse.Namespace) -> int:
    known, plain = read_keys(options.keys)
    rows = [(key.name, ", ".join(role for role in ROLES if role in key.roles)) for key in known]
    console().print(table(["name", "roles"], rows))
    if plain:
        console().print(f"{plain} keys are in plain text: run recommender keys hash.")
    return 0


KEYS = Command(
    "keys",
    "Make and list the API keys of recommender serve. Each has a name and roles; the file keeps "
    "their digests alone. To revoke a key, delete its line and restart the service.",
    actions=(_add, _hash, _list),
)


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Raises: ConfigError where the file cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def _write(path: Path, lines: Iterable[str]) -> None:
    """Replace a file by one that its owner alone can read, as a whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    new.replace(path)
