"""The home page: what is live, what needs a person, and the figures of the last builds."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.artifacts.runs import Run
from recommender.console.answers import Answer
from recommender.console.live_shop import LiveShop
from recommender.console.rendering import PREFIX, text
from recommender.console.visits import Visit
from recommender.insights.build_figures import BuildFigures, build_figures
from recommender.insights.overview import overview

BUILDS = 30
"""How many of the last builds are drawn."""


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
        pointer = publisher.stored.live()
    figures = figures_of(shop, found.runs)
    made = figures.value or ()
    return visit.page(
        "home.html",
        found=found,
        seen=shop.seen(),
        now=time.time(),
        canary_share=pointer.canary_share if pointer else 0.0,
        figures=figures,
        live_figures=next(
            (one for one in made if found.run and one.number == found.run.number), None
        ),
        trends=trends(made),
    )


def figures_of(shop: LiveShop, runs: Sequence[Run]) -> Answer[list[BuildFigures]]:
    """The figures of the last builds, as soon as they are counted."""
    last = runs[:BUILDS]
    question = ("figures", tuple((run.number, run.state) for run in last))
    return shop.answers.ask(question, lambda: build_figures(shop.artifacts, last))


def trends(figures: Sequence[BuildFigures]) -> list[dict[str, Any]]:
    """What the charts of the builds show: a key, its name, whether it is a share, its values."""
    columns: dict[str, tuple[bool, list[float | None]]] = {
        "coverage": (True, [one.coverage for one in figures]),
        "hub_share": (True, [one.largest_hub_share for one in figures]),
        "items": (False, [one.n_items for one in figures]),
        "events": (False, [one.n_events for one in figures]),
    }
    return [
        {
            "key": key,
            "name": text(f"trend.{key}"),
            "share": share,
            "builds": [one.number for one in figures],
            "values": values,
        }
        for key, (share, values) in columns.items()
    ]
