"""What stands before all routes: HEAD, the access log, API keys and their rates."""

import logging
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recommender.service.docs_page import PATHS
from recommender.service.keys import ApiKey, KeyRing
from recommender.service.rates import MAX_NAMES, RateLimit, network_of
from recommender.service.responses import error_response
from recommender.serving.keys import NAME

OPEN = frozenset({"/healthz", "/readyz"}) | PATHS
"""What a load balancer asks, which has no API key, and the page that asks for one."""
KEY_SCOPE = "recommender.api_key"
"""Where a scope has the key of its request."""

access_log = logging.getLogger(__name__ + ".access")


class ApiKeys:
    """ASGI middleware that lets requests with a known key pass, and those of `OPEN`.

    Without a known key the answer is 401. It is 429 for a key beyond its rate, and for an address
    that gave too many wrong keys: even a right one is refused then, unless it was used from there
    before, so that guessing is bounded and locks nobody out.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing, rate: RateLimit, wrong: RateLimit) -> None:
        self._app, self._keys, self._rate, self._wrong = app, keys, rate, wrong
        self._used: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"x-api-key"]
        if not given:
            response = error_response(401, "give an API key in the header X-API-Key")
            await response(scope, receive, send)
            return
        key = self._keys.find(given[0]) if len(given) == 1 else None
        address = network_of(scope["client"][0]) if scope.get("client") else ""
        if wait_s := self._refused_s(key, address):
            reason = "too many requests with this key" if key else "too many wrong API keys"
            response = error_response(429, f"{reason}: try again later", retry_after_s=wait_s)
        elif key is None:
            response = error_response(401, "the API key in the header X-API-Key is unknown")
        else:
            scope[KEY_SCOPE] = key
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)

    def _refused_s(self, key: ApiKey | None, address: str) -> float:
        """Count a request with a key, known or not; the seconds to wait where it is too many."""
        used = key is not None and (address, key.name) in self._used
        if not used and (wait_s := self._wrong.wait_s(address)):
            return wait_s
        if key is None:
            self._wrong.count(address)
            return 0.0
        if len(self._used) >= MAX_NAMES:
            self._used.clear()
        self._used.add((address, key.name))
        if wait_s := self._rate.wait_s(key.name):
            return wait_s
        self._rate.count(key.name)
        return 0.0


class AccessLog:
    """ASGI middleware that logs a line for each answer.

    It has the route, not the path or the query, and the name of the API key, not the address: no
    line tells which visitor looked at which item.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            key, shop = scope.get(KEY_SCOPE), scope.get("path_params", {}).get("shop", "")
            access_log.info(
                "method=%s route=%s shop=%s key=%s status=%d ms=%.1f",
                scope["method"] if scope["method"] in {"GET", "POST"} else "other",
                getattr(scope.get("route"), "path", "-"),
                shop if NAME.fullmatch(shop) and status != HTTPStatus.NOT_FOUND else "-",
                key.name if key else "-",
                status,
                1000 * (time.perf_counter() - began),
            )


class HeadAsGet:
    """ASGI middleware that answers HEAD as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        await self._app({**scope, "method": "GET"}, receive, send_head)
