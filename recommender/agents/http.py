"""Streamable HTTP for agents: keys and rates as `serve` has them, Host and Origin checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from recommender.service.keys import KeyRing, read_keys
from recommender.service.middleware import KEY_SCOPE, AccessLog, ApiKeys
from recommender.service.rates import RateLimit
from recommender.service.responses import error_response
from recommender.settings.service import ServiceSettings


class ReadersOnly:
    """ASGI middleware that refuses API keys without the role `read`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        key = scope.get(KEY_SCOPE)
        if key is not None and "read" not in key.roles:
            response = error_response(403, f"the API key {key.name} has no role read")
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def http_app(server: Server[Any], service: ServiceSettings, hosts: Sequence[str]) -> ASGIApp:
    """The app at `/mcp`, for requests whose Host is one of `hosts`, at any port or none.

    A browser's request has an Origin, which must be one of them, too. Raises: ConfigError for a
    file of API keys that cannot be used.
    """
    names = [f"[{host}]" if ":" in host else host for host in hosts]
    allowed = [f"{name}{port}" for name in names for port in ("", ":*")]
    security = TransportSecuritySettings(
        allowed_hosts=allowed,
        allowed_origins=[f"{scheme}://{one}" for scheme in ("http", "https") for one in allowed],
    )
    app: ASGIApp = server.streamable_http_app(
        json_response=True,
        stateless_http=True,
        max_request_body_size=service.body_bytes,
        transport_security=security,
    )
    if service.api_keys:
        keys = KeyRing(read_keys(Path(service.api_keys))[0])
        rate = RateLimit(service.requests_per_s, service.requests_per_s)
        wrong = RateLimit(service.wrong_keys_per_minute / 60, service.wrong_keys_per_minute)
        app = ApiKeys(ReadersOnly(app), keys=keys, rate=rate, wrong=wrong)
    return AccessLog(app) if service.access_log else app
