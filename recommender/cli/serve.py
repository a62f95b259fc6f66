"""`recommender serve`."""

import argparse
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from recommender.cli.arguments import argument, command, flag, number
from recommender.cli.session import require_live, store_url
from recommender.errors import ConfigError
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.service.app import create_app
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import Store, open_store
from recommender.settings.loading import find_file, find_files, load
from recommender.settings.model import Settings

if TYPE_CHECKING:
    from recommender.service.live_search import LiveSearch

GRACE_S = 5
"""How long open requests may take after the command is asked to end."""


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
    api_keys = _api_keys(options.api_keys)
    with ExitStack() as stores, listening(options.host, options.port) as listener:
        found = _settings(options)
        urls = {each.shop: stores.enter_context(store_url(each)) for each in found}
        shops = {shop: AsyncRelatedItems(url, shop) for shop, url in urls.items()}
        searches = {
            each.shop: live_search(each, stores.enter_context(open_store(urls[each.shop])))
            for each in (found if options.search else ())
        }
        config = uvicorn.Config(
            create_app(shops, api_keys, searches),
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        # uvicorn raises the signal again when it ends: the stores must be closed even then.
        signal.signal(signal.SIGTERM, _end)
        _say(shops, searches, listener)
        uvicorn.Server(config).run(sockets=[listener])
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


def _say(
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
