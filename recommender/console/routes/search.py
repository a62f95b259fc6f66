"""The search page: items by a few words or by their id, as somebody types."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.cards import card
from recommender.console.rendering import PREFIX
from recommender.console.visits import Visit
from recommender.insights.search import MAX_QUERY, Filters

SHOWN = 24


def add(app: FastAPI) -> None:
    """Add the page."""
    app.add_api_route(f"{PREFIX}/{{shop}}/search", search)


def search(request: Request) -> Response:
    """The items that fit a query, best first; hidden ones too, which a merchandiser looks for."""
    visit: Visit = request.state.visit
    seen = visit.shop.seen()
    query = visit.asked("q").strip()[:MAX_QUERY]
    in_stock = visit.asked("stock") == "1"
    loaded = seen.loaded
    hits = []
    if loaded is not None and query:
        filters = Filters(in_stock=True) if in_stock else None
        for hit in loaded.searcher.find(query, SHOWN, filters):
            row = loaded.row(hit.item)
            if row is not None:
                hits.append((card(loaded, seen, row), hit))
    return visit.page("search.html", seen=seen, query=query, in_stock=in_stock, hits=hits)
