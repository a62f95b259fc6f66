"""The home page: what is live, what needs a person, and the figures of the last builds."""

import time
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.rendering import PREFIX
from recommender.console.visits import Visit
from recommender.insights.overview import overview


def add(app: FastAPI) -> None:
    """Add the page."""
    app.add_api_route(f"{PREFIX}/{{shop}}/", home)


def home(request: Request) -> Response:
    """What is live in a shop."""
    visit: Visit = request.state.visit
    shop = visit.shop
    with shop.publisher() as publisher:
        today = datetime.now(UTC).date()
        found = overview(shop.artifacts, publisher, today, shop.settings.rule_file())
    return visit.page("home.html", found=found, seen=shop.seen(), now=time.time())
