"""The pages of the console itself: signing in and out, the theme, static files."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recommender.console.access import Session
from recommender.console.rendering import OWN, PREFIX, path, static_files
from recommender.console.visits import (
    THEME_COOKIE,
    THEME_S,
    THEMES,
    Refused,
    Visit,
    address,
    set_session,
)

YEAR_S = 365 * 24 * 3600


def add(app: FastAPI) -> None:
    """Add the pages."""
    app.add_api_route(PREFIX, start)
    app.add_api_route(f"{PREFIX}/", start)
    app.add_api_route(f"{OWN}/enter", enter)
    app.add_api_route(f"{OWN}/sign-in", show_sign_in)
    app.add_api_route(f"{OWN}/sign-in", sign_in, methods=["POST"])
    app.add_api_route(f"{OWN}/sign-out", sign_out, methods=["POST"])
    app.add_api_route(f"{OWN}/theme", set_theme, methods=["POST"])
    app.add_api_route(f"{OWN}/static/{{name}}", static)


def start(request: Request) -> Response:
    """Lead to the first shop."""
    visit: Visit = request.state.visit
    return visit.redirect(path(next(iter(visit.console.shops))))


def enter(request: Request) -> Response:
    """Sign in by the link that the terminal shows, once."""
    visit: Visit = request.state.visit
    access = visit.console.access
    _check_rate(visit)
    session = access.enter(visit.asked("token"), address(request))
    if session is None:
        return visit.page("sign_in.html", 403, by_key=access.by_key, wrong="sign_in.used")
    return _begun(visit, session)


def show_sign_in(request: Request) -> Response:
    """Ask for an API key, or for the link."""
    visit: Visit = request.state.visit
    return visit.page("sign_in.html", by_key=visit.console.access.by_key, wrong="")


def sign_in(request: Request) -> Response:
    """Sign in by an API key."""
    visit: Visit = request.state.visit
    access = visit.console.access
    _check_rate(visit)
    session = access.sign_in(visit.form.get("key", ""), address(request))
    if session is None:
        return visit.page("sign_in.html", 403, by_key=access.by_key, wrong="sign_in.wrong")
    return _begun(visit, session)


def sign_out(request: Request) -> Response:
    """End the session."""
    response = RedirectResponse(f"{OWN}/sign-in", 303)
    set_session(response, request, "")
    return response


def set_theme(request: Request) -> Response:
    """Keep the theme that was chosen in a cookie, and lead back."""
    visit: Visit = request.state.visit
    back, theme = visit.form.get("back", ""), visit.form.get("theme", "")
    inside = back == PREFIX or back.startswith(f"{PREFIX}/")
    response = visit.redirect(back if inside else PREFIX)
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=THEME_S, path=PREFIX, samesite="strict")
    return response


def static(name: str) -> Response:
    """A static file; its URL changes with its content."""
    if name not in static_files():
        raise Refused(404, "refused.no_page")
    content, media_type = static_files()[name]
    headers = {"cache-control": f"public, max-age={YEAR_S}, immutable"}
    return Response(content, media_type=media_type, headers=headers)


def _check_rate(visit: Visit) -> None:
    if visit.console.access.wait_s(address(visit.request)):
        raise Refused(429, "refused.rate")


def _begun(visit: Visit, session: Session) -> Response:
    begun = Visit(visit.console, visit.request, session, renewed=True)
    return begun.redirect(PREFIX)
