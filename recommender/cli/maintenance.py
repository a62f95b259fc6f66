"""`recommender serve`, `store`, `doctor`, `config`, `gc` and `forget-user`."""

import argparse
import logging
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import tomli_w

from recommender.cli.arguments import Command, argument, command, flag, ids, number
from recommender.cli.lookup import ids_in
from recommender.cli.session import (
    connection,
    embedded,
    publisher,
    require_live,
    settings_of,
    store_url,
)
from recommender.cli.terminal import console, progress, right, table
from recommender.core.redaction import redacted
from recommender.errors import ConfigError, StoreUnavailable
from recommender.insights.doctor import diagnose
from recommender.insights.gc import Removal, collect_garbage
from recommender.publishing.embedded import Embedded
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import Store, open_store
from recommender.settings.loading import find_file, find_files, load
from recommender.settings.model import Settings
from recommender.settings.presets import shipped
from recommender.settings.tables import EMBEDDED

if TYPE_CHECKING:
    from recommender.service.live_search import LiveSearch

GRACE_S = 5
"""How long open requests may take after `serve` is asked to end."""
MEBIBYTE = 1024 * 1024


@command(
    "serve",
    "Serve related items over HTTP, for the shop of --config or for all shops whose settings files "
    "$RECOMMENDER_CONFIG names, separated by colons.",
    argument("--host", "address to listen on (default 127.0.0.1)", default="127.0.0.1"),
    number("--port", 8080, "port to listen on", metavar=None),
    argument("--api-keys", "accept only requests with a key of FILE, one per line", metavar="FILE"),
    flag("--search", "also serve text search"),
)
def _serve(options: argparse.Namespace) -> int:
    import uvicorn

    from recommender.service.app import create_app
    from recommender.service.limits import (
        ACCEPTED_AT_ONCE,
        FewLines,
        LimitedProtocol,
        LimitedServer,
        most_connections,
    )

    api_keys = _api_keys(options.api_keys)
    with ExitStack() as stores, listening(options.host, options.port) as listener:
        found = _settings(options)
        urls = {each.shop: stores.enter_context(store_url(each)) for each in found}
        shops = {shop: AsyncRelatedItems(url, shop) for shop, url in urls.items()}
        searches = {
            each.shop: live_search(each, stores.enter_context(open_store(urls[each.shop])))
            for each in (found if options.search else ())
        }
        LimitedProtocol.most = most_connections()
        for name in ("uvicorn.error", "asyncio"):
            logging.getLogger(name).addFilter(FewLines())
        config = uvicorn.Config(
            create_app(shops, api_keys, searches),
            http=LimitedProtocol,
            ws="none",
            backlog=ACCEPTED_AT_ONCE,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        # uvicorn raises the signal again when it ends: the stores must be closed even then.
        signal.signal(signal.SIGTERM, _end)
        _print_urls(shops, searches, listener)
        LimitedServer(config).run(sockets=[listener])
    return 0


def _settings(options: argparse.Namespace) -> list[Settings]:
    files = [find_file(options.config)] if options.config else find_files()
    read = [load(path, options.assignments) for path in files]
    names = [settings.shop for settings in read]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"shop {name!r}: {names.count(name)} settings files name it")
    return read


def live_search(settings: Settings, store: Store) -> "LiveSearch":
    """A search that follows the live generation of a shop."""
    from recommender.insights.search import searcher_of
    from recommender.service.live_search import LiveSearch

    artifacts, api = settings.artifact_store(), settings.text_api.text_api()

    def look() -> tuple[int, frozenset[str]]:
        live = require_live(Publisher(store, settings.shop))
        return live.id, frozenset(Hidden(store, settings.shop).hidden())

    return LiveSearch(settings.shop, look, lambda number: searcher_of(artifacts, number, api))


def _api_keys(path: str | None) -> frozenset[str]:
    """The API keys of a file, one per line. Raises: ConfigError."""
    if path is None:
        return frozenset()
    try:
        lines = Path(path).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--api-keys {path}: cannot be read: {error}") from error
    if not lines:
        raise ConfigError(f"--api-keys {path}: contains no key; write one per line")
    return frozenset(lines)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens on an address. Raises: ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--host {host} --port {port}: cannot listen there: {error}") from error
    # asyncio sets this only for sockets that are marked as TCP, which this one is not. Without it,
    # the second half of an answer waits 40 ms for the client to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _print_urls(
    shops: Mapping[str, object], searches: Mapping[str, object], listener: socket.socket
) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    for shop in shops:
        sys.stdout.write(f"http://{shown}:{port}/v1/{shop}/items/ITEM/related\n")
        if shop in searches:
            sys.stdout.write(f"http://{shown}:{port}/v1/{shop}/search?q=WORDS\n")
    sys.stdout.flush()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


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
)
def _config(options: argparse.Namespace) -> int:
    if options.defaults:
        sys.stdout.write(shipped("config/default.toml").read_text(encoding="utf-8"))
    else:
        sys.stdout.write(tomli_w.dumps(settings_of(options).plain()))
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
        raise ConfigError("no user: name some, or a --file with one id per line")
    added = settings.forgotten().add(sorted(forgotten))
    sys.stdout.write(
        f"{added:,} users of shop {settings.shop} forgotten, {len(forgotten) - added:,} were "
        "already. Runs that begin from now on do not read their events, and the next recommender "
        "reindex publishes lists without them.\nArtifacts of earlier runs contain what was read of "
        "them, under a keyed hash, until no generation and none of the last artifacts.keep_runs = "
        f"{settings.artifacts.keep_runs} runs needs them; then recommender gc removes them.\n"
    )
    return 0
