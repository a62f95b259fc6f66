"""The pages of releases: what is published and held, and how two releases differ."""

from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.answers import Answer
from recommender.console.cards import Card, card_of
from recommender.console.live_shop import LiveShop
from recommender.console.rendering import PREFIX
from recommender.console.visits import Visit
from recommender.insights.diff import Difference, Release, differences, release
from recommender.insights.overview import overview

NAMES = ("live", "previous", "held")
WAIT_S = 0.5
"""How long a page waits for a comparison before it says that it is being made."""


def add(app: FastAPI) -> None:
    """Add the pages."""
    app.add_api_route(f"{PREFIX}/{{shop}}/releases", releases)
    app.add_api_route(f"{PREFIX}/{{shop}}/releases/diff", diff)


def releases(request: Request) -> Response:
    """All generations that are published, and the builds that a gate holds."""
    visit: Visit = request.state.visit
    shop = visit.shop
    with shop.publisher() as publisher:
        generations = publisher.generations()
        found = overview(shop.artifacts, publisher, datetime.now(UTC).date())
        pointer = publisher.stored.live()
    return visit.page(
        "releases.html",
        generations=generations,
        found=found,
        canary_share=pointer.canary_share if pointer else 0.0,
    )


def diff(request: Request) -> Response:
    """How two releases differ: figures, and the most changed lists of best sellers with cards."""
    visit: Visit = request.state.visit
    shop = visit.shop
    with shop.publisher() as publisher:
        old, new = (
            release(shop.artifacts, publisher, visit.asked(name, default))
            for name, default in (("old", "previous"), ("new", "live"))
        )
    answer = compared(shop, old, new)
    found: Sequence[Difference] = answer.value or ()
    placements = [one.placement for one in found]
    chosen = visit.asked("placement")
    return visit.page(
        "diff.html",
        old=old,
        new=new,
        answer=answer,
        placements=placements,
        placement=chosen if chosen in placements else "",
        found=[one for one in found if chosen not in placements or one.placement == chosen],
        cards=_cards(shop, found),
    )


def compared(shop: LiveShop, old: Release, new: Release) -> Answer[Sequence[Difference]]:
    """The comparison of two releases, as soon as it is made."""
    return shop.answers.ask(
        ("diff", old.build.key, new.build.key),
        lambda: differences(shop.artifacts, old, new),
        wait_s=WAIT_S,
    )


def _cards(shop: LiveShop, found: Sequence[Difference]) -> dict[str, Card]:
    """The cards of all items that are live, by id, of those that a comparison shows."""
    seen = shop.seen()
    shown = {
        entry.item
        for one in found
        for changed in one.best_sellers
        for entry in (*changed.before, *changed.after)
    }
    return {item: one for item in shown if (one := card_of(seen, item)) is not None}
