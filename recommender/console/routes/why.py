"""The page that explains why an item is in the list of another, or why it is not."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.cards import card
from recommender.console.rendering import PREFIX
from recommender.console.routes.item import asked_item
from recommender.console.visits import Refused, Visit


def add(app: FastAPI) -> None:
    """Add the page."""
    app.add_api_route(f"{PREFIX}/{{shop}}/why", why)


def why(request: Request) -> Response:
    """The explanation of a pair in a placement; without another item, the question for it."""
    visit: Visit = request.state.visit
    seen, loaded, row = asked_item(visit)
    names = list(loaded.placements)
    placement = visit.asked("placement", names[0])
    if placement not in names:
        raise Refused(404, "refused.no_page")
    other, found = None, None
    if visit.asked("other").strip():
        _, _, other = asked_item(visit, "other")
        explainer = loaded.explainers.get(placement)
        n_built = len(explainer.context.catalogue) if explainer else 0
        if explainer is not None and max(row, other) < n_built:
            found = explainer.explain(row, other)
    return visit.page(
        "why.html",
        seen=seen,
        loaded=loaded,
        card=card(loaded, seen, row),
        other=None if other is None else card(loaded, seen, other),
        placement=placement,
        placements=names,
        found=found,
    )
