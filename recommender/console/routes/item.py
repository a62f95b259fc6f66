"""The page of an item: its card, and one view of it below: lists, listings, nearest, query."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.answers import Answer
from recommender.console.cards import card, entries
from recommender.console.live_shop import Seen
from recommender.console.loaded import LoadedGeneration
from recommender.console.rendering import PREFIX
from recommender.console.visits import Refused, Visit
from recommender.core.related import EVIDENCE
from recommender.errors import ConfigError, StoreUnavailable
from recommender.insights.diff import release
from recommender.insights.nearest import nearest_items
from recommender.insights.release_lists import ReleaseLists, release_lists

LISTED, NEAREST = 30, 12
WAIT_S = 0.5
"""How long a page waits for another release before it says that it is being loaded."""
LOCAL = "http://127.0.0.1:8080"
"""Where `recommender serve` listens unless it is told otherwise."""


def add(app: FastAPI) -> None:
    """Add the page. The id is in the query, as it may have any character."""
    app.add_api_route(f"{PREFIX}/{{shop}}/item", item)


def item(request: Request) -> Response:
    """One item of what is live, in the view that is asked for."""
    visit: Visit = request.state.visit
    seen, loaded, row = asked_item(visit)
    view = visit.asked("view", "lists")
    if view not in VIEWS:
        raise Refused(404, "refused.no_page")
    return visit.page(
        "item.html",
        seen=seen,
        loaded=loaded,
        card=card(loaded, seen, row),
        view=view,
        views=list(VIEWS),
        counts={name: int(one.listings.counts[row]) for name, one in loaded.placements.items()},
        **VIEWS[view](visit, seen, loaded, row),
    )


def asked_item(visit: Visit, name: str = "id") -> tuple[Seen, LoadedGeneration, int]:
    """What is live, and the row of the item that the query names. Raises: Refused."""
    seen = visit.shop.seen()
    if seen.loaded is None and seen.fault:
        raise StoreUnavailable(seen.fault)
    if seen.loaded is None:
        raise Refused(503, "refused.loading")
    found = visit.asked(name).strip()
    row = seen.loaded.row(found)
    if row is None:
        raise Refused(404, "refused.no_item", item=found[:60], shop=visit.shop.name)
    return seen, seen.loaded, row


def _lists(_visit: Visit, seen: Seen, loaded: LoadedGeneration, row: int) -> dict[str, Any]:
    """Its lists in all placements."""
    return {
        "lists": {
            name: entries(loaded, seen, name, row, served.placement.shown)
            for name, served in loaded.placements.items()
        }
    }


def _listed(visit: Visit, seen: Seen, loaded: LoadedGeneration, row: int) -> dict[str, Any]:
    """The lists that show it, those with the best rank first, a page at a time."""
    number = visit.asked("page", "1")
    page = int(number) if number.isdecimal() and 1 <= len(number) <= 6 else 1
    found: dict[str, list[tuple[Any, int, float, str]]] = {}
    for name, served in loaded.placements.items():
        where = served.listings.slice_of(row)
        start = where.start + (max(page, 1) - 1) * LISTED
        part = slice(start, min(start + LISTED, where.stop))
        places = served.listings.places[part]
        found[name] = [
            (card(loaded, seen, owner), rank, score, EVIDENCE[code])
            for owner, rank, score, code in zip(
                served.listings.owners[part].tolist(),
                served.listings.ranks[part].tolist(),
                served.lists.entries.scores[places].tolist(),
                served.lists.entries.evidence[places].tolist(),
                strict=True,
            )
        ]
    return {"listed": found, "page": page, "per_page": LISTED}


def _nearest(_visit: Visit, seen: Seen, loaded: LoadedGeneration, row: int) -> dict[str, Any]:
    """The nearest items by each origin of vectors; none for an item newer than the build."""
    explainer = next(iter(loaded.explainers.values()), None)
    if explainer is None or row >= len(explainer.context.catalogue):
        return {"nearest": {}, "ready": explainer is not None}
    origins = explainer.context.origins
    found = {
        name: (
            name in origins.content,
            float(explainer.scale.near[name]),
            [
                (card(loaded, seen, near), cosine)
                for near, cosine in nearest_items(origin, row, NEAREST)
            ],
        )
        for name, origin in origins.by_name().items()
    }
    return {"nearest": found, "ready": True}


def _compare(visit: Visit, _seen: Seen, loaded: LoadedGeneration, row: int) -> dict[str, Any]:
    """Its lists in another release next to those that are live."""
    shop = visit.shop
    asked = visit.asked("release", "previous")
    item = loaded.catalogue.ids.ids[row]
    try:
        with shop.publisher() as publisher:
            other = release(shop.artifacts, publisher, asked)
    except ConfigError as error:
        return {"release": asked, "answer": Answer(fault=str(error)), "sides": {}}
    answer: Answer[ReleaseLists] = shop.answers.ask(
        ("lists", other.build.key), lambda: release_lists(shop.artifacts, other), wait_s=WAIT_S
    )
    sides: dict[str, tuple[Any, Any]] = {}
    for name, served in loaded.placements.items() if answer.value else ():
        assert answer.value is not None
        k = served.placement.shown
        sides[name] = (
            answer.value.of(item, name, k),
            entries(loaded, visit.shop.seen(), name, row, k),
        )
    return {"release": asked, "other": other, "answer": answer, "sides": sides}


def _query(visit: Visit, _seen: Seen, loaded: LoadedGeneration, row: int) -> dict[str, Any]:
    """What a storefront sends for it, for each placement."""
    shop, found = visit.shop.name, loaded.catalogue.ids.ids[row]
    queries: dict[str, tuple[str, str]] = {}
    for name, served in loaded.placements.items():
        asked = urlencode({"placement": name, "n": served.placement.shown, "records": "true"})
        url = f"{LOCAL}/v1/{shop}/items/{quote(found, safe='')}/related?{asked}"
        curl = f"curl -H 'X-API-Key: KEY' {shlex.quote(url)}"
        python = (
            "from recommender.serving.lookup import RelatedItems\n\n"
            f'related = RelatedItems("redis://redis.internal:6379/0", shop={shop!r})\n'
            f"answer = related.get({found!r}, placement={name!r}, n={served.placement.shown}, "
            "records=True)\n"
            "for item, record in zip(answer.items, answer.records):\n"
            '    print(item.id, item.score, record["title"])\n'
        )
        queries[name] = curl, python
    return {"queries": queries}


View = Callable[[Visit, Seen, LoadedGeneration, int], dict[str, Any]]
VIEWS: Mapping[str, View] = {
    "lists": _lists,
    "listed": _listed,
    "nearest": _nearest,
    "compare": _compare,
    "query": _query,
}
"""What makes the values of each view."""
