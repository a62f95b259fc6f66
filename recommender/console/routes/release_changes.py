"""The pages that change what is live: each says what will happen before it does it."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.rendering import PREFIX, path
from recommender.console.visits import Refused, Visit
from recommender.core.generation import Generation
from recommender.insights.release_changes import ReleaseChanges


@dataclass(frozen=True, slots=True)
class Action:
    """A change: the name that its path and its texts have, and how it is done."""

    name: str
    run: Callable[[ReleaseChanges, int | None, float], Generation]


ACTIONS = {
    action.name: action
    for action in (
        Action("approve", lambda changes, run, share: changes.approve(run, canary_share=share)),
        Action("promote", lambda changes, _run, _share: changes.promote()),
        Action("rollback", lambda changes, number, _share: changes.rollback(number)),
    )
}


def add(app: FastAPI) -> None:
    """Add the pages."""
    app.add_api_route(f"{PREFIX}/{{shop}}/releases/{{action}}", confirm)
    app.add_api_route(f"{PREFIX}/{{shop}}/releases/{{action}}", change, methods=["POST"])


def confirm(request: Request, action: str) -> Response:
    """Say what a change will do, and ask whether to go on."""
    visit: Visit = request.state.visit
    visit.require("operate")
    asked = _action(action)
    with visit.shop.publisher() as publisher:
        generations = publisher.generations()
    return visit.page(
        "confirm.html",
        action=asked,
        number=_number(visit.asked("number")),
        by_role={one.role: one for one in generations if one.role},
        seen=visit.shop.seen(),
    )


def change(request: Request, action: str) -> Response:
    """Do it, and lead back to the releases."""
    visit: Visit = request.state.visit
    visit.require("operate")
    asked, shop = _action(action), visit.shop
    with shop.publisher() as publisher:
        log = shop.settings.audit_log()
        changes = ReleaseChanges(shop.artifacts, publisher, log, visit.who)
        number, share = _number(visit.form.get("number", "")), _share(visit.form.get("share", ""))
        live = asked.run(changes, number, share)
        shop.save(publisher.store)
    return visit.redirect(path(shop.name, "releases", done=asked.name, number=live.id))


def _action(name: str) -> Action:
    if name not in ACTIONS:
        raise Refused(404, "refused.no_page")
    return ACTIONS[name]


def _number(given: str) -> int | None:
    """The number of a generation or run, None for the default."""
    if not given:
        return None
    if not (given.isdecimal() and len(given) < 19):
        raise Refused(400, "refused.malformed")
    return int(given)


def _share(given: str) -> float:
    """The share of the requests for a canary, 0 for all of them, from a percentage."""
    percent = _number(given) or 100
    return 0.0 if percent >= 100 else percent / 100
