"""`recommender serve`."""

import argparse
import dataclasses
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from recommender.cli.arguments import UsageError, argument, command, flag, number
from recommender.cli.session import store_url
from recommender.errors import ConfigError
from recommender.service.keys import read_keys
from recommender.settings.loading import find_file, find_files, load
from recommender.settings.model import Settings
from recommender.settings.service import ServiceSettings

if TYPE_CHECKING:  # it imports what only a running service needs
    from recommender.service.process import ServedShops

log = logging.getLogger(__name__)


@command(
    "serve",
    "Serve related items over HTTP, for the shop of --config or for all shops whose settings files "
    "$RECOMMENDER_CONFIG names, separated by colons. The table [service] of the first has limits.",
    argument("--host", "address to listen on (default 127.0.0.1)", default="127.0.0.1"),
    number("--port", 8080, "port to listen on", metavar=None),
    argument("--api-keys", "accept only requests with a key of FILE", metavar="FILE"),
    argument("--processes", "processes that share the port (default 1)", type=int, metavar="N"),
    argument("--cert", "serve HTTPS with the certificates of this PEM file", metavar="FILE"),
    argument("--key", "PEM file of the certificate's private key", metavar="FILE"),
    flag("--search", "also serve text search"),
    flag("--console", "also serve the console, for holders of API keys or users of a proxy"),
)
def _serve(options: argparse.Namespace) -> int:
    from recommender.service.process import ServedShops, run

    found = _settings(options)
    service = _service(found, options)
    check_keys(service.api_keys)
    _check_certificate(service)
    with ExitStack() as stores, listening(options.host, options.port) as listener:
        urls = {each.shop: stores.enter_context(store_url(each)) for each in found}
        searched = found if options.search else []
        shops = ServedShops(urls, searched, service)
        if options.console:
            shops = _with_console(shops, found)
        # uvicorn raises the signal again when it ends: the stores must be closed even then.
        signal.signal(signal.SIGTERM, end)
        scheme = "https" if service.cert else "http"
        _print_urls(shops, scheme, listener)
        started = run(shops, listener)
    return 0 if started else 1


def _settings(options: argparse.Namespace) -> list[Settings]:
    files = [find_file(options.config)] if options.config else find_files()
    read = [load(path, options.assignments) for path in files]
    names = [settings.shop for settings in read]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"shop {name!r}: {names.count(name)} settings files name it")
    return read


def _service(found: Sequence[Settings], options: argparse.Namespace) -> ServiceSettings:
    """The table `service` of the first shop, with the options of the command line.

    Raises: ConfigError where another shop's table says something else.
    """
    first, *others = found
    for other in others:
        if other.service not in (ServiceSettings(), first.service):
            raise ConfigError(
                f"shop {other.shop!r}: its table [service] differs from that of {first.shop!r}, "
                "which is used for all; remove it"
            )
    given = {
        name: getattr(options, name)
        for name in ("api_keys", "processes", "cert", "key")
        if getattr(options, name) is not None
    }
    if not 1 <= given.get("processes", 1) <= 256:
        raise UsageError(f"--processes {given['processes']}: use 1 to 256")
    return first.service.model_copy(update=given)


def check_keys(path: str) -> None:
    """Refuse a file of API keys that is malformed, and warn of plain ones. Raises: ConfigError."""
    if not path:
        return
    _, plain = read_keys(Path(path))
    if plain:
        log.warning(
            "%s: %d API keys in plain text; run recommender keys hash %s (plain keys are accepted "
            "for one release)",
            *(path, plain, path),
        )


def _check_certificate(service: ServiceSettings) -> None:
    """Refuse a certificate that cannot be used. Raises: ConfigError."""
    if bool(service.cert) != bool(service.key):
        raise ConfigError("--cert, --key: give both, a certificate and its private key")
    if not service.cert:
        return
    try:
        # An empty password makes a protected key an error; without, OpenSSL would ask the terminal.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(service.cert, service.key, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--cert {service.cert} --key {service.key}: {error}; give PEM files of a certificate "
            "and its private key, without a password"
        ) from error


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens on an address. Raises: ConfigError."""
    from recommender.service.limits import Listener

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        created = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--host {host} --port {port}: cannot listen there: {error}") from error
    listener = Listener(fileno=created.detach())
    # asyncio sets this only for sockets that are marked as TCP, which this one is not. Without it,
    # the second half of an answer waits 40 ms for the client to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _with_console(shops: "ServedShops", found: Sequence[Settings]) -> "ServedShops":
    """The same with the console of all shops. Raises: ConfigError if nobody could sign in."""
    from recommender.console.rendering import PREFIX
    from recommender.console.served import ServedConsole

    opened = {each.shop: (each, shops.urls[each.shop]) for each in found}
    console = ServedConsole(opened, shops.service)
    return dataclasses.replace(shops, console=console, console_prefix=PREFIX)


def _print_urls(shops: "ServedShops", scheme: str, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    origin = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    searched = {each.shop for each in shops.searched}
    for shop in shops.urls:
        sys.stdout.write(f"{origin}/v1/{shop}/items/ITEM/related\n")
        if shop in searched:
            sys.stdout.write(f"{origin}/v1/{shop}/search?q=WORDS\n")
    if shops.console is not None:
        sys.stdout.write(f"{origin}{shops.console_prefix}/\n")
    sys.stdout.flush()


def end(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the process after its stores are closed."""
    raise SystemExit(0)
