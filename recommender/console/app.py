"""The console: an app of server-rendered pages for the shops of one or more settings files."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Depends, FastAPI, Request
from starlette.responses import RedirectResponse, Response

from recommender.console.access import Access
from recommender.console.guards import SecurityHeaders
from recommender.console.live_shop import Shops
from recommender.console.rendering import OWN
from recommender.console.routes import (
    groups,
    home,
    item,
    operations,
    own,
    quality,
    release_changes,
    releases,
    search,
    steer,
    steer_form,
    why,
)
from recommender.console.visits import Console, Refused, admitted
from recommender.errors import RecommenderError, StoreUnavailable

AREAS = (
    *(own, home, search, item, why, steer, steer_form),
    *(releases, release_changes, quality, groups, operations),
)
"""The modules that add the pages of an area, each by `add(app)`."""


def create_console(shops: Shops, access: Access, hosts: Collection[str] = ()) -> FastAPI:
    """The console of some shops, which it closes when it ends.

    `hosts` are the Host headers that are answered, all if there are none.
    """
    console = Console(shops, access)

    async def admit(request: Request) -> None:
        request.state.visit = await admitted(console, request)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        for shop in shops.values():
            shop.seen()
        yield
        for shop in shops.values():
            shop.close()

    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        dependencies=[Depends(admit)],
    )
    refusals = _Refusals(console)
    app.add_exception_handler(Refused, refusals.refused)
    app.add_exception_handler(RecommenderError, refusals.failed)
    app.add_exception_handler(404, refusals.missing)
    app.add_middleware(SecurityHeaders, hosts=hosts)
    for area in AREAS:
        area.add(app)
    return app


@dataclass(frozen=True, slots=True)
class _Refusals:
    """The pages that answer what cannot be answered as it was asked."""

    console: Console

    def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        visit = self.console.visit(request)
        if error.status == 401 and not visit.htmx:
            return visit.kept(RedirectResponse(f"{OWN}/sign-in", 303))
        return visit.page("error.html", error.status, reason=error.reason, values=error.values)

    def failed(self, request: Request, error: Exception) -> Response:
        status = 503 if isinstance(error, StoreUnavailable) else 400
        visit = self.console.visit(request)
        return visit.page("error.html", status, reason="refused.failed", about=str(error))

    def missing(self, request: Request, _error: Exception) -> Response:
        return self.console.visit(request).page("error.html", 404, reason="refused.no_page")
