"""`recommender console`."""

import argparse
import socket
import sys
from collections.abc import Mapping

from recommender.cli.arguments import command, number
from recommender.cli.serve import listening
from recommender.cli.session import settings_of, store_url
from recommender.settings.model import Settings

HOST = "127.0.0.1"
PORT = number("--port", 8090, "port to listen on, 0 for any that is free", metavar=None)


@command(
    "console",
    "Open the console of the shop in a browser: what is live, why an item is in a list, what a "
    "build changes. It listens on this machine alone, and prints a link that signs in once.",
    PORT,
)
def _console(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with store_url(settings) as url:
        return open_console({settings.shop: (settings, url)}, options.port)


def open_console(shops: Mapping[str, tuple[Settings, str]], port: int) -> int:
    """Serve the console of some shops, by settings and URL of the store, until a signal ends it."""
    import uvicorn

    from recommender.console.access import Access, new_link_token
    from recommender.console.app import create_console
    from recommender.console.guards import LOOPBACK
    from recommender.console.live_shop import LiveShop
    from recommender.console.rendering import OWN

    token = new_link_token()
    live = {name: LiveShop(settings, url) for name, (settings, url) in shops.items()}
    app = create_console(live, Access(link_token=token), LOOPBACK)
    with listening(HOST, port) as listener:
        config = uvicorn.Config(
            app, ws="none", access_log=False, log_config=None, server_header=False
        )
        _print_link(listener, f"{OWN}/enter?token={token}")
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _print_link(listener: socket.socket, path: str) -> None:
    host, port = listener.getsockname()[:2]
    sys.stdout.write(
        f"Open the console by this link, which works once:\nhttp://{host}:{port}{path}\n"
    )
    sys.stdout.flush()
