"""The pages of steering: a draft with what it would change, and the changes of the past."""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.answers import Answer
from recommender.console.cards import Card, card_of
from recommender.console.rendering import PREFIX, path, text
from recommender.console.routes.steer_form import MERCHANDISE, steering_of
from recommender.console.visits import Visit
from recommender.errors import RecommenderError
from recommender.insights.diff import ChangedList
from recommender.insights.draft_preview import DraftPreview, preview_draft
from recommender.live.live_state import live_state
from recommender.live.rule_log import RuleChange
from recommender.live.steering import Applied, Steering
from recommender.merchandising.application import today_of
from recommender.merchandising.drafts import Change, Draft
from recommender.merchandising.rule_source import RuleSource, locked

WAIT_S = 0.5
"""How long a page waits for a preview before it says that it is being made."""
LISTS, RULES, PAST = 8, 200, 100


def add(app: FastAPI) -> None:
    """Add the pages."""
    at = f"{PREFIX}/{{shop}}/steer"
    app.add_api_route(at, draft)
    app.add_api_route(f"{at}/rules", rules)
    app.add_api_route(f"{at}/history", history)
    app.add_api_route(f"{at}/undo", confirm_undo)
    for name, change in (
        ("remove", remove),
        ("discard", discard),
        ("rebase", rebase),
        ("apply", apply),
        ("undo", undo),
    ):
        app.add_api_route(f"{at}/{name}", change, methods=["POST"])


def draft(request: Request) -> Response:
    """The draft of who is signed in, and what it would change."""
    visit: Visit = request.state.visit
    if visit.shop.settings.rule_file() is None:
        return visit.page("steer_none.html")
    return _draft_page(visit)


def rules(request: Request) -> Response:
    """The rules of the file, which can be withdrawn."""
    visit: Visit = request.state.visit
    steering = steering_of(visit.shop)
    found = RuleSource.read(steering.rules).document.rules
    today = today_of(found)
    return visit.page(
        "steer_rules.html",
        view="rules",
        rules=[(rule, rule.season(today)) for rule in found.rules[:RULES]],
        n_rules=len(found.rules),
        file=steering.rules.name,
    )


def history(request: Request) -> Response:
    """What was applied and undone, the newest first."""
    visit: Visit = request.state.visit
    past = steering_of(visit.shop).history()
    return visit.page("steer_history.html", view="history", past=past[:PAST])


def confirm_undo(request: Request) -> Response:
    """Say what is taken back, and ask whether to go on."""
    visit: Visit = request.state.visit
    visit.require(MERCHANDISE)
    return _undo_page(visit, visit.asked("id"))


def remove(request: Request) -> Response:
    """Remove a change from the draft."""
    visit, steering = _changing(request)
    number = visit.form.get("number", "")
    with locked(steering.drafts.lock):
        kept = steering.drafts.of(visit.session.name)
        steering.drafts.save(kept.without(int(number) if number.isdecimal() else 0))
    return visit.redirect(path(visit.shop.name, "steer"))


def discard(request: Request) -> Response:
    """Remove the draft."""
    visit, steering = _changing(request)
    with locked(steering.drafts.lock):
        steering.drafts.discard(visit.session.name)
    return visit.redirect(path(visit.shop.name, "steer"))


def rebase(request: Request) -> Response:
    """Take over what changed in the rule file since the draft was begun."""
    visit, steering = _changing(request)
    steering.drafts.rebase(visit.session.name)
    return visit.redirect(path(visit.shop.name, "steer"))


def apply(request: Request) -> Response:
    """Apply the draft, and lead to the history; or show the draft with what prevents it."""
    visit, steering = _changing(request)
    shop, reason = visit.shop, visit.form.get("reason", "").strip()
    try:
        with shop.publisher() as publisher:
            live = live_state(shop.artifacts, publisher)
            done = steering.apply(visit.session.name, reason, live, publisher)
            shop.save(publisher.store)
    except RecommenderError as error:
        return _draft_page(visit, fault=str(error), reason=reason, status=400)
    return _to_history(visit, done)


def undo(request: Request) -> Response:
    """Take back a change, and lead to the history; or say what prevents it."""
    visit, steering = _changing(request)
    shop, reason = visit.shop, visit.form.get("reason", "").strip()
    change = visit.form.get("id", "")
    try:
        with shop.publisher() as publisher:
            live = live_state(shop.artifacts, publisher)
            done = steering.undo(change, visit.session.name, reason, live, publisher)
            shop.save(publisher.store)
    except RecommenderError as error:
        return _undo_page(visit, change, fault=str(error), status=400)
    return _to_history(visit, done)


def _changing(request: Request) -> tuple[Visit, Steering]:
    visit: Visit = request.state.visit
    visit.require(MERCHANDISE)
    return visit, steering_of(visit.shop)


def _to_history(visit: Visit, done: Applied) -> Response:
    return visit.redirect(path(visit.shop.name, "steer/history", done=done.id))


def _draft_page(visit: Visit, fault: str = "", reason: str = "", status: int = 200) -> Response:
    steering = steering_of(visit.shop)
    source, own = RuleSource.read(steering.rules), steering.drafts.of(visit.session.name)
    placements = list(loaded.placements) if (loaded := visit.shop.seen().loaded) else []
    asked = visit.asked("placement")
    placement = asked if asked in placements else next(iter(placements), "")
    item = visit.asked("item").strip()
    answer = _previewed(visit, own, source, placement, item)
    lists = answer.value.lists.lists[:LISTS] if answer.value else ()
    return visit.page(
        "steer.html",
        status,
        view="draft",
        draft=own,
        stale=bool(own.changes) and own.base != source.digest,
        answer=answer,
        effects=answer.value.effects if answer.value else (),
        titles={change.name: _titles(visit, change) for change in own.changes},
        lists=lists,
        cards=_cards(visit, lists),
        placements=placements,
        placement=placement,
        item=item,
        fault=fault,
        reason=reason,
        file=steering.rules.name,
    )


def _previewed(
    visit: Visit, own: Draft, source: RuleSource, placement: str, item: str
) -> Answer[DraftPreview]:
    """What the draft would change, as soon as it is known."""
    shop = visit.shop
    seen = shop.seen()
    loaded = seen.loaded
    if loaded is None or not own.changes:
        return Answer()
    items = [item] if item else []
    return shop.answers.ask(
        ("draft", own.digest, source.digest, str(seen.pointer), placement, item),
        lambda: preview_draft(loaded.live, own, source, placement=placement, items=items),
        wait_s=WAIT_S,
    )


def _cards(visit: Visit, lists: Sequence[ChangedList]) -> Mapping[str, Card]:
    """The cards of all items that are shown, by id."""
    seen = visit.shop.seen()
    shown = {one.item for one in lists}
    shown |= {entry.item for one in lists for entry in (*one.before, *one.after)}
    return {item: found for item in shown if (found := card_of(seen, item)) is not None}


def _titles(visit: Visit, change: Change) -> str:
    """The titles of the first item that a change moves, and of the first whose list it is in."""
    if change.kind == "withdraw":
        return ""
    rule = change.rule
    found = (
        one.name if ids and (one := card_of(visit.shop.seen(), ids[0])) else ""
        for ids in ((rule.what.items, rule.lists_of.items) if rule else ((change.name,), ()))
    )
    moved, owner = found
    parts = (moved, text("steer.in_list_of", owner=owner) if owner else "")
    return " · ".join(part for part in parts if part)


def _undo_page(visit: Visit, change: str, fault: str = "", status: int = 200) -> Response:
    past = steering_of(visit.shop).history()
    found: RuleChange | None = next((one for one in past if one.id == change), None)
    return visit.page(
        "steer_undo.html", status if found else 404, change=found, given=change[:20], fault=fault
    )
