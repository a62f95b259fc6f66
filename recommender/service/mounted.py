"""Another app, such as the console, mounted next to the API: it starts and ends with it.

The address of the peer is kept before headers of a proxy replace it, for those who must know
whether a request came from the proxy itself.
"""

import os

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

PEER = "recommender.peer"
"""Where a scope has the address that the connection came from."""
TRUSTED = "127.0.0.1"


class Mounted:
    """ASGI app that answers paths below `prefix` by `other`, and all else by `app`."""

    def __init__(self, app: FastAPI, other: FastAPI, prefix: str) -> None:
        self._app, self._other, self._prefix = app, other, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the lifespan of `other` is around that of `app`."""
        if scope["type"] == "lifespan":
            async with self._other.router.lifespan_context(self._other):
                await self._app(scope, receive, send)
            return
        path = scope.get("path", "")
        is_others = path == self._prefix or path.startswith(f"{self._prefix}/")
        await (self._other if is_others else self._app)(scope, receive, send)


class KeptPeer:
    """ASGI app that notes the peer of a request, and then believes a proxy on this machine."""

    def __init__(self, app: ASGIApp) -> None:
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", TRUSTED)
        self._app = ProxyHeadersMiddleware(app, trusted_hosts=trusted)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        client = scope.get("client")
        kept = {**scope, PEER: client[0] if client else ""}
        await self._app(kept, receive, send)  # type: ignore[arg-type]
