"""The page of an item: its card, its lists next to each other, and the lists that show it."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.cards import card, entries
from recommender.console.live_shop import Seen
from recommender.console.loaded import LoadedGeneration
from recommender.console.rendering import PREFIX
from recommender.console.visits import Refused, Visit


def add(app: FastAPI) -> None:
    """Add the page. The id is in the query, as it may have any character."""
    app.add_api_route(f"{PREFIX}/{{shop}}/item", item)


def item(request: Request) -> Response:
    """One item of what is live."""
    visit: Visit = request.state.visit
    seen, loaded, row = asked_item(visit)
    lists = {
        name: entries(loaded, seen, name, row, served.placement.shown)
        for name, served in loaded.placements.items()
    }
    return visit.page(
        "item.html", seen=seen, loaded=loaded, card=card(loaded, seen, row), lists=lists
    )


def asked_item(visit: Visit) -> tuple[Seen, LoadedGeneration, int]:
    """What is live, and the row of the item that is asked for. Raises: Refused."""
    seen = visit.shop.seen()
    if seen.loaded is None:
        raise Refused(503, "refused.loading")
    item = visit.asked("id")
    row = seen.loaded.row(item)
    if row is None:
        raise Refused(404, "refused.no_item", item=item[:60], shop=visit.shop.name)
    return seen, seen.loaded, row
