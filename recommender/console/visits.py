"""Visits: a request of somebody with a session, and the answers to it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from recommender.console.access import SESSION_S, Access, Session
from recommender.console.live_shop import LiveShop, Shops
from recommender.console.rendering import OWN, PREFIX, render
from recommender.service.keys import Role
from recommender.service.mounted import PEER

FORM_BYTES, FORM_FIELDS = 256 * 1024, 2000
OPEN = f"{OWN}/"
"""Paths below it need no session: signing in, the theme, static files."""
THEMES = ("auto", "light", "dark")
THEME_COOKIE, THEME_S = "recommender_theme", 365 * 24 * 3600
SAFE = frozenset({"GET", "HEAD"})
NAVIGATION = (
    ("home", ""),
    ("search", "search"),
    ("steer", "steer"),
    ("releases", "releases"),
    ("quality", "quality"),
    ("operations", "operations"),
)
"""The areas of the console: the key of each one's name, and its path."""

log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is not answered as it was asked: the status, and the key of the reason."""

    def __init__(self, status: int, reason: str, **values: object) -> None:
        super().__init__(reason)
        self.status, self.reason, self.values = status, reason, values


@dataclass(frozen=True, slots=True)
class Console:
    """The shops of a console, and who may see and change them."""

    shops: Shops
    access: Access

    def visit(self, request: Request) -> "Visit":
        """The visit of a request, with the session that its cookie or a proxy names."""
        cookie = request.cookies.get(cookie_name(request), "")
        peer = str(request.scope.get(PEER, address(request)))
        session = self.access.session(cookie, request.headers, peer)
        return Visit(self, request, session, renewed=self.access.seal.opened(cookie) != session)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request with its session and, where it changes something, the fields of its form."""

    console: Console
    request: Request
    session: Session
    form: Mapping[str, str] = field(default_factory=dict)
    renewed: bool = False

    @property
    def shop(self) -> LiveShop:
        """The shop of the path. Raises: Refused if there is none of that name."""
        name = str(self.request.path_params.get("shop", ""))
        if name not in self.console.shops:
            raise Refused(404, "refused.no_shop", shop=name[:60])
        return self.console.shops[name]

    @property
    def who(self) -> str:
        """Who makes a change, as the audit log names them."""
        return f"{self.session.name} (console)"

    @property
    def htmx(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    def asked(self, name: str, default: str = "") -> str:
        """A value of the query."""
        return self.request.query_params.get(name, default)

    def require(self, role: Role) -> None:
        """Refuse who lacks a role. Raises: Refused."""
        if not self.session.may(role):
            raise Refused(403, "refused.role", role=role)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401
        """A page for this visit, rendered from a template."""
        shop = self.request.path_params.get("shop", "")
        theme = self.request.cookies.get(THEME_COOKIE, "auto")
        content = render(
            template,
            visit=self,
            session=self.session,
            shop=shop if shop in self.console.shops else "",
            shops=list(self.console.shops),
            navigation=NAVIGATION,
            theme=theme if theme in THEMES else "auto",
            themes=THEMES,
            here=self.request.url.path + (f"?{q}" if (q := self.request.url.query) else ""),
            csrf=self.console.access.seal.form_token(self.session),
            **values,
        )
        return self.kept(HTMLResponse(content, status))

    def redirect(self, to: str) -> Response:
        """Lead to a page of the console after a change."""
        return self.kept(RedirectResponse(to, 303))

    def kept(self, response: Response) -> Response:
        """The response with the cookie of the session, where the browser does not have it yet."""
        if self.renewed:
            set_session(response, self.request, self.console.access.seal.sealed(self.session))
        return response


async def admitted(console: Console, request: Request) -> Visit:
    """The visit of a request that may be answered.

    Raises: Refused without a session with the role `read`, but for open paths, and for a form that
    does not come from a page of the session.
    """
    visit = console.visit(request)
    is_open = request.url.path.startswith(OPEN)
    if not is_open and not visit.session.name:
        raise Refused(401, "refused.signed_out")
    if not is_open:
        visit.require("read")
    if request.method in SAFE:
        return visit
    form = await _form(request)
    if not console.access.seal.is_form_token(visit.session, form.get("csrf", "")):
        raise Refused(403, "refused.form")
    return Visit(console, request, visit.session, form, visit.renewed)


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise Refused(413, "refused.large")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=FORM_FIELDS,
            errors="strict",
        )
    except ValueError as error:
        raise Refused(400, "refused.malformed") from error
    return dict(pairs)


def address(request: Request) -> str:
    """The address of the client."""
    return request.client.host if request.client else ""


def cookie_name(request: Request) -> str:
    """The name of the session's cookie; browsers send the cookies of all ports of a host."""
    return f"recommender_console_{request.url.port or 0}"


def set_session(response: Response, request: Request, value: str) -> None:
    """Set the cookie of a session, or take it away with an empty value."""
    response.set_cookie(
        cookie_name(request),
        value,
        max_age=SESSION_S if value else 0,
        path=PREFIX,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
