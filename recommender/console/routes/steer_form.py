"""The form that adds a change to a draft: from a product card, or for a rule of the file."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.cards import Card, card_of
from recommender.console.live_shop import LiveShop
from recommender.console.rendering import PREFIX, path
from recommender.console.visits import Refused, Visit
from recommender.errors import ConfigError, DataError
from recommender.live.rule_log import RuleLog
from recommender.live.steering import Steering
from recommender.merchandising.draft_changes import EVERYTHING, Wanted
from recommender.merchandising.rule_set import Selection
from recommender.merchandising.rule_source import RuleSource, locked
from recommender.service.keys import Role

ACTIONS = ("pin", "boost", "bury", "exclude", "replace")
OF_ONE = frozenset({"pin", "replace", "hide", "unhide"})
"""Actions that move the item alone, not its brand or its category."""
MERCHANDISE: Role = "merchandise"
_VALUES = {"pin": "position", "boost": "by", "bury": "by", "replace": "with"}


@dataclass(frozen=True, slots=True)
class Subject:
    """The item that a form is about, and the item in whose list it was found, if any."""

    card: Card
    seed: Card | None

    def selection(self, scope: str, card: Card | None) -> Selection:
        """What a scope means for an item: itself, its brand, a category, or everything."""
        kind, _, name = scope.partition(":")
        if card is None or kind == "all":
            return EVERYTHING
        if kind == "item":
            return Selection(items=(card.item,))
        if kind == "brand":
            return Selection(brands=(card.brand,))
        if kind == "category" and name:
            return Selection(categories=(name,))
        raise Refused(400, "refused.malformed")


def add(app: FastAPI) -> None:
    """Add the pages."""
    app.add_api_route(f"{PREFIX}/{{shop}}/steer/add", form)
    app.add_api_route(f"{PREFIX}/{{shop}}/steer/add", added, methods=["POST"])
    app.add_api_route(f"{PREFIX}/{{shop}}/steer/withdraw", withdrawn, methods=["POST"])


def form(request: Request) -> Response:
    """Ask what is to be done with an item, to which items like it, and in which lists."""
    visit: Visit = request.state.visit
    visit.require(MERCHANDISE)
    steering_of(visit.shop)
    given = {name: visit.asked(name) for name in ("item", "seed", "placement", "action", "rank")}
    if given["placement"]:
        given[f"placement.{given['placement']}"] = "on"
    if given["rank"].isdecimal():
        given["position"] = given["rank"]
    return _page(visit, given)


def added(request: Request) -> Response:
    """Add the change, or show the form again with what is wrong in it."""
    visit: Visit = request.state.visit
    visit.require(MERCHANDISE)
    given = dict(visit.form)
    subject = _subject(visit, given)
    try:
        add_to_draft(visit, _wanted(visit, subject, given), given.get("reason", "").strip())
    except (ConfigError, DataError) as error:
        return _page(visit, given, str(error), 400)
    return visit.redirect(path(visit.shop.name, "steer"))


def withdrawn(request: Request) -> Response:
    """Add the withdrawal of a rule of the file."""
    visit: Visit = request.state.visit
    visit.require(MERCHANDISE)
    add_to_draft(visit, Wanted("withdraw", [visit.form.get("rule", "")]), "")
    return visit.redirect(path(visit.shop.name, "steer"))


def add_to_draft(visit: Visit, wanted: Wanted, reason: str) -> None:
    """Add to the draft of who is signed in. Raises: ConfigError or DataError."""
    steering, author = steering_of(visit.shop), visit.session.name
    with locked(steering.drafts.lock):
        rules = RuleSource.read(steering.rules).document.rules
        draft = wanted.into(steering.drafts.of(author), rules, author, reason)
        steering.drafts.save(draft)


def steering_of(shop: LiveShop) -> Steering:
    """The rule file, the drafts and the log of a shop. Raises: Refused without a rule file."""
    rules = shop.settings.rule_file()
    if rules is None:
        raise Refused(400, "refused.no_rules")
    log = RuleLog(shop.settings.audit_log())
    return Steering(rules, log, commits=shop.settings.merchandising.commit)


def _wanted(visit: Visit, subject: Subject, given: dict[str, str]) -> Wanted:
    action = given.get("action", "")
    if action not in {*ACTIONS, *OF_ONE}:
        raise Refused(400, "refused.malformed")
    loaded = visit.shop.seen().loaded
    placements = loaded.placements if loaded else ()
    fields: dict[str, str | list[str]] = {
        "placement": [name for name in placements if f"placement.{name}" in given],
        "from": given.get("from", ""),
        "until": given.get("until", ""),
    }
    if action in _VALUES:
        fields[_VALUES[action]] = given.get(_VALUES[action], "").strip()
    what = subject.selection(given.get("scope", "item"), subject.card)
    if action in OF_ONE:
        what = Selection(items=(subject.card.item,))
    lists_of = subject.selection(given.get("lists", "all"), subject.seed)
    return Wanted(action, what.items, what, lists_of, fields)


def _subject(visit: Visit, given: dict[str, str]) -> Subject:
    seen = visit.shop.seen()
    if seen.loaded is None:
        raise Refused(503, "refused.loading")
    item, seed = given.get("item", ""), given.get("seed", "")
    card = card_of(seen, item)
    if card is None:
        raise Refused(404, "refused.no_item", item=item[:60], shop=visit.shop.name)
    return Subject(card, card_of(seen, seed) if seed else None)


def _page(visit: Visit, given: dict[str, str], fault: str = "", status: int = 200) -> Response:
    subject = _subject(visit, given)
    loaded = visit.shop.seen().loaded
    return visit.page(
        "steer_form.html",
        status,
        subject=subject,
        given=given,
        fault=fault,
        actions=(*ACTIONS, "unhide" if subject.card.state == "hidden" else "hide"),
        categories=_levels(subject.card),
        seed_categories=_levels(subject.seed) if subject.seed else [],
        placements=list(loaded.placements) if loaded else [],
    )


def _levels(card: Card) -> list[str]:
    """The category of an item and those above it, the narrowest first."""
    first = card.category.partition("\n")[0]
    parts = first.split(" > ") if first else []
    return [" > ".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
