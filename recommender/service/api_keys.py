"""Who may ask: requests without one of the API keys are turned away before any route."""

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest

from starlette.types import ASGIApp, Receive, Scope, Send

from recommender.errors import ConfigError
from recommender.service import answers

HEADER = b"x-api-key"
OPEN_PATHS = frozenset({"/healthz"})


def digests(keys: Iterable[str]) -> tuple[bytes, ...]:
    """What is kept of the keys. Raises: ConfigError for one that no header can carry."""
    kept = []
    for key in keys:
        if not (key and key == key.strip() and key.isascii() and key.isprintable()):
            raise ConfigError("API keys: use printable ASCII without spaces around it")
        kept.append(sha256(key.encode()).digest())
    return tuple(kept)


class ApiKeys:
    """ASGI middleware that answers 401 to a request without a known key, the health excepted.

    Keys are compared as digests, with all of `known` and in constant time.
    """

    def __init__(self, app: ASGIApp, known: tuple[bytes, ...]) -> None:
        self._app = app
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or turn it away."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._knows(scope):
            await self._app(scope, receive, send)
            return
        await answers.refusal(401, "give an API key in the header X-API-Key")(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == HEADER]
        digest = sha256(given[0] if len(given) == 1 else b"").digest()
        return any([compare_digest(digest, known) for known in self._known])
