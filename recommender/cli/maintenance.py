"""`recommender store`, `doctor`, `config`, `gc` and `forget-user`."""

import argparse
import json
import sys

import tomli_w

from recommender.cli.arguments import Command, UsageError, command, flag, ids
from recommender.cli.hiding import ids_in
from recommender.cli.session import (
    connection,
    embedded,
    publisher,
    settings_of,
)
from recommender.cli.terminal import console, progress, right, table
from recommender.core.redaction import redacted
from recommender.errors import ConfigError, StoreUnavailable
from recommender.insights.doctor import diagnose
from recommender.insights.gc import Removal, collect_garbage
from recommender.publishing.embedded import Embedded
from recommender.settings.presets import shipped
from recommender.settings.schema import settings_schema, template
from recommender.settings.tables import EMBEDDED

MEBIBYTE = 1024 * 1024


@command("start", "Start the embedded store and print its URL")
def _start_store(options: argparse.Namespace) -> int:
    return _say(_embedded_store(options).start())


@command("stop", "Save and stop the embedded store")
def _stop_store(options: argparse.Namespace) -> int:
    return _say("stopped" if _embedded_store(options).stop() else "was not running")


@command("url", "Print the URL of the running embedded store")
def _print_url(options: argparse.Namespace) -> int:
    url = _embedded_store(options).url()
    if url is None:
        raise StoreUnavailable("the embedded store is not running; run recommender store start")
    return _say(url)


STORE = Command(
    "store",
    "Start or stop the embedded store. Commands start it when they need it; start it for a "
    "storefront that runs next to them.",
    actions=(_start_store, _stop_store, _print_url),
)


def _embedded_store(options: argparse.Namespace) -> Embedded:
    settings = settings_of(options)
    if settings.store.url != EMBEDDED:
        raise ConfigError("store.url names a server; this command is for the embedded store only")
    return embedded(settings)


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


@command(
    "doctor",
    "Check the installed packages, the settings, the artifacts and the store, and read the "
    "catalogue and a sample of the interactions: columns, values, join, times, kinds, titles. "
    "The exit code is 3 if something must be fixed, 7 if the store is unavailable.",
    flag("--speed", "also measure how fast texts are encoded and recommend the best settings"),
)
def _doctor(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    findings = list(
        diagnose(settings, connection(settings), measure=options.speed, progress=progress)
    )
    rows = [(one.verdict, one.what, redacted(one.detail)) for one in findings]
    console().print(table(["", "checked", ("found", "wrap")], rows))
    faults = [one.what for one in findings if one.verdict == "fault"]
    if "store" in faults:
        raise StoreUnavailable("the store cannot be reached; see above")
    if faults:
        raise ConfigError(f"{len(faults)} to fix; see above")
    return 0


@command(
    "config",
    "Print the settings in force as TOML, with secrets masked.",
    flag("--defaults", "print all settings with their defaults and an explanation instead"),
    flag("--template", "print a recommender.toml to fill in, whose settings are comments"),
    flag("--schema", "print the JSON Schema of a settings file, for editors"),
)
def _config(options: argparse.Namespace) -> int:
    if options.defaults + options.template + options.schema > 1:
        raise UsageError("--defaults, --template, --schema: ask for one of them")
    if options.defaults:
        text = shipped("config/default.toml").read_text(encoding="utf-8")
    elif options.template:
        text = template()
    elif options.schema:
        text = json.dumps(settings_schema(), indent=2) + "\n"
    else:
        text = tomli_w.dumps(settings_of(options).plain())
    sys.stdout.write(text)
    return 0


@command(
    "gc",
    "Delete the artifacts that no generation and none of the last artifacts.keep_runs runs needs.",
    flag("--dry-run", "print what would be deleted, delete nothing"),
)
def _gc(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with publisher(settings) as shop:
        removal = collect_garbage(
            settings.artifact_store(),
            shop,
            keep_runs=settings.artifacts.keep_runs,
            pinned=settings.artifacts.pinned,
            dry_run=options.dry_run,
        )
    _print_removal(removal, "would be removed" if options.dry_run else "removed")
    return 0


def _print_removal(removal: Removal, verb: str) -> None:
    shown = console()
    if removal.artifacts:
        shown.print(table(["artifacts", *right(verb)], [*removal.artifacts.items()]))
    total = sum(removal.artifacts.values())
    shown.print(
        f"{total:,} artifacts and {removal.runs:,} run records {verb}, "
        f"{removal.n_bytes / MEBIBYTE:,.1f} MiB."
    )
    if removal.at_work:
        numbers = ", ".join(map(str, removal.at_work))
        stopped = "" if removal.complete else " Nothing more was removed."
        shown.print(f"Run {numbers} may still be running: its artifacts were kept.{stopped}")
    elif not removal.complete:
        shown.print("A run began in the meantime: run this command again when it has ended.")


@command(
    "forget-user",
    "Exclude all events of some users from every later run. The next reindex publishes lists "
    "without them.",
    *ids("users", "USER", "user ids, as in the input files"),
)
def _forget_user(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    users = {*options.users, *(value for _, value in ids_in(options.file))}
    forgotten = {value.strip() for value in users} - {""}
    if not forgotten:
        raise UsageError("no user: name some, or a --file with one id per line")
    added = settings.forgotten().add(sorted(forgotten))
    sys.stdout.write(
        f"{added:,} users of shop {settings.shop} forgotten, {len(forgotten) - added:,} were "
        "already. Runs that begin from now on do not read their events, and the next recommender "
        "reindex publishes lists without them.\nArtifacts of earlier runs contain what was read of "
        "them, under a keyed hash, until no generation and none of the last artifacts.keep_runs = "
        f"{settings.artifacts.keep_runs} runs needs them; then recommender gc removes them.\n"
    )
    return 0
