"""The processes of the service: what each sets up for itself, and who starts them."""

import asyncio
import gc
import logging
import multiprocessing
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from recommender.core.redaction import Guarded, conceal_url
from recommender.service.app import create_app
from recommender.service.item_updates import StoreUpdates
from recommender.service.keys import read_keys
from recommender.service.limits import (
    ACCEPTED_AT_ONCE,
    FewLines,
    LimitedProtocol,
    most_connections,
)
from recommender.service.middleware import access_log
from recommender.service.mounted import KeptPeer, Mounted
from recommender.serving.aio import AsyncRelatedItems
from recommender.settings.service import ServiceSettings

if TYPE_CHECKING:  # it imports what only a service with search needs
    from recommender.service.live_search import LiveSearch
    from recommender.settings.model import Settings

START_S = 60
"""For a process to import what it needs; after that, one that does not respond is replaced."""
LOG_FORMAT = "%(levelname)s %(name)s %(message)s"


@dataclass(frozen=True, slots=True)
class ServedShops:
    """Makes the app of the process that calls it, whose loop runs already.

    `urls` are those of the stores by shop; `searched` are the shops that can be searched.
    `console` makes the console, which is below `console_prefix`.
    """

    urls: Mapping[str, str]
    searched: Sequence["Settings"]
    service: ServiceSettings
    console: Callable[[], FastAPI] | None = None
    console_prefix: str = ""

    def __call__(self) -> ASGIApp:
        """The app. Raises: ConfigError; StoreUnavailable for a shop that is searched."""
        if multiprocessing.parent_process() is not None:
            self._begin_child()
        _apply_limits(self.service)
        shops = {shop: AsyncRelatedItems(url, shop) for shop, url in self.urls.items()}
        keys = read_keys(Path(self.service.api_keys))[0] if self.service.api_keys else ()
        updates = {shop: StoreUpdates(url, shop) for shop, url in self.urls.items()}
        api = create_app(shops, keys, self._searches(), self.service, updates)
        app: ASGIApp = api
        if self.console is not None:
            app = KeptPeer(Mounted(api, self.console(), self.console_prefix))
        # What stays for ever need not be looked through again each time that garbage is collected.
        gc.collect()
        gc.freeze()
        return app

    def _searches(self) -> dict[str, "LiveSearch"]:
        if not self.searched:
            return {}
        from recommender.service.live_search import live_search

        return {each.shop: live_search(each, self.urls[each.shop]) for each in self.searched}

    def _begin_child(self) -> None:
        """Log as the parent does, and end with it, however it ends."""
        for url in self.urls.values():
            conceal_url(url)
        sys.stderr = cast("TextIO", Guarded(sys.stderr))
        logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
        parent = multiprocessing.parent_process()
        assert parent is not None
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(parent.sentinel)
            signal.raise_signal(signal.SIGTERM)

        loop.add_reader(parent.sentinel, end)


class Supervisor(Multiprocess):
    """Starts processes, restarts those that die, and refuses connections while they drain."""

    def terminate_all(self) -> None:
        """Stop listening, then let each process answer what it has and end."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def run(shops: ServedShops, listener: socket.socket) -> bool:
    """Serve until a signal ends it; whether all processes could start.

    With several processes this one starts them, restarts those that die, replaces them one by one
    on SIGHUP, and ends them on SIGTERM.
    """
    config = _config(shops, shops.service, factory=True, proxied=shops.console is None)
    if shops.service.processes == 1:
        uvicorn.Server(config).run(sockets=[listener])
        return True
    supervisor = Supervisor(config, sockets=[listener])
    supervisor.run()
    return all(process.exitcode != STARTUP_FAILURE for process in supervisor.processes)


def serve_app(app: ASGIApp, service: ServiceSettings, listener: socket.socket) -> None:
    """Serve an app in this process, within the limits of the service, until a signal ends it."""
    _apply_limits(service)
    uvicorn.Server(_config(app, service, factory=False, proxied=True)).run(sockets=[listener])


def _apply_limits(service: ServiceSettings) -> None:
    """Set the limits of this process."""
    LimitedProtocol.request_s = service.request_s
    LimitedProtocol.write_s = service.write_s
    LimitedProtocol.most = most_connections(service.connections)
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(FewLines())
    if service.access_log:
        access_log.setLevel(logging.INFO)


def _config(
    app: ASGIApp | ServedShops, service: ServiceSettings, *, factory: bool, proxied: bool
) -> uvicorn.Config:
    """How uvicorn serves an app; `proxied` if a proxy on this machine names the client."""
    return uvicorn.Config(
        app,
        factory=factory,
        loop="recommender.service.limits:ServiceLoop",
        http=LimitedProtocol,
        ws="none",
        workers=service.processes,
        backlog=ACCEPTED_AT_ONCE,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=proxied,
        timeout_keep_alive=service.idle_s,
        timeout_graceful_shutdown=service.drain_s,
        timeout_worker_healthcheck=START_S,
        ssl_certfile=service.cert or None,
        ssl_keyfile=service.key or None,
    )
