"""`recommender mcp`."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from recommender.agents.http import http_app
from recommender.agents.server import AgentServer
from recommender.agents.shop import AgentShop
from recommender.cli.arguments import UsageError, argument, command, repeated
from recommender.cli.serve import check_keys, end, listening
from recommender.cli.session import settings_of, store_url
from recommender.service.process import serve_app
from recommender.settings.model import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = ("0.0.0.0", "::")


@command(
    "mcp",
    "Answer agents over the Model Context Protocol: read-only tools for related items, search, "
    "explanations and records. It speaks over stdin and stdout, or over HTTP with --http.",
    argument(
        "--http",
        "serve streamable HTTP at http://HOST:PORT/mcp (HOST is 127.0.0.1 if not given)",
        metavar="HOST:PORT",
    ),
    argument("--api-keys", "accept only requests with a key of FILE", metavar="FILE"),
    repeated("--allowed-host", "NAME", "a host that requests may name (repeatable)"),
)
def _mcp(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.http is None:
        if options.api_keys or options.allowed_host:
            raise UsageError("--api-keys, --allowed-host: only with --http")
        return _over_stdio(settings)
    host, port = address(options.http)
    hosts = allowed_hosts(host, options.allowed_host)
    service = settings.service
    if options.api_keys:
        service = service.model_copy(update={"api_keys": options.api_keys})
    check_keys(service.api_keys)
    with _agents(settings) as agents, listening(host, port) as listener:
        signal.signal(signal.SIGTERM, end)
        shown = f"[{host}]" if ":" in host else host
        sys.stdout.write(f"http://{shown}:{listener.getsockname()[1]}/mcp\n")
        sys.stdout.flush()
        serve_app(http_app(agents.server(), service, hosts), service, listener)
    return 0


def _over_stdio(settings: Settings) -> int:
    """Answer until stdin ends or a signal comes."""
    signal.signal(signal.SIGTERM, end)
    try:
        with _agents(settings) as agents:
            asyncio.run(_speak(agents))
    except (KeyboardInterrupt, SystemExit):
        # A thread of the SDK reads stdin, and Python would wait for it until the agent closes that.
        os._exit(0)
    return 0


@contextmanager
def _agents(settings: Settings) -> Iterator[AgentServer]:
    with store_url(settings) as url, closing(AgentShop(settings, url)) as shop:
        yield AgentServer(shop, settings)


async def _speak(agents: AgentServer) -> None:
    from mcp.server.stdio import stdio_server

    server = agents.server()
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())


def address(given: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[::1]:PORT` or `PORT` alone. Raises: UsageError."""
    host, _, port = given.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"--http {given!r:.60}: give HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]") or LOOPBACK[0], int(port)


def allowed_hosts(host: str, given: Sequence[str]) -> list[str]:
    """The names by which clients may call a server that listens on `host`. Raises: UsageError."""
    if host in LOOPBACK:
        return [*LOOPBACK, *given]
    if host in ANYWHERE and not given:
        raise UsageError(
            f"--http {host}: name the host that clients use with --allowed-host, such as "
            "recommender.example.com"
        )
    return list(given) if host in ANYWHERE else [host, *given]
