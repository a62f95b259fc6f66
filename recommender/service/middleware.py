"""What stands before all routes: API keys, and HEAD."""

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recommender.errors import ConfigError
from recommender.service.responses import error_response

OPEN = frozenset({"/healthz", "/readyz"})
"""What a load balancer asks, which has no API key."""


class ApiKeys:
    """ASGI middleware that answers 401 to a request without a known key, except for `OPEN`.

    Keys are compared as `digests`, with all of them and in constant time.
    """

    def __init__(self, app: ASGIApp, digests: tuple[bytes, ...]) -> None:
        self._app = app
        self._digests = digests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._knows(scope):
            await self._app(scope, receive, send)
            return
        response = error_response(401, "give an API key in the header X-API-Key")
        await response(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"x-api-key"]
        digest = sha256(given[0] if len(given) == 1 else b"").digest()
        return any([compare_digest(digest, known) for known in self._digests])


def key_digests(keys: Iterable[str]) -> tuple[bytes, ...]:
    """The digests of API keys. Raises: ConfigError for a key that no header can carry."""
    digests = []
    for key in keys:
        if not (key and key == key.strip() and key.isascii() and key.isprintable()):
            raise ConfigError("API keys: use printable ASCII without spaces around it")
        digests.append(sha256(key.encode()).digest())
    return tuple(digests)


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
