"""The map of the groups of items: near means alike, and each group leads to its items."""

from dataclasses import dataclass, replace

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.console.answers import Answer
from recommender.console.cards import card
from recommender.console.live_shop import LiveShop
from recommender.console.loaded import LoadedGeneration
from recommender.console.rendering import PREFIX
from recommender.console.visits import Refused, Visit
from recommender.insights.cluster_map import ClusterMap, cluster_map

POINTS, LABELS, EXAMPLES, PER_PAGE = 900, 40, 4, 48
HUES = 10
"""How many colours the groups share."""
SIDE, LETTER, LINE = 1000.0, 11.5, 26.0
"""The side of the map, and the size of a letter and of a line in it."""


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a group on the map."""

    group: int
    name: str
    x: float
    y: float


def add(app: FastAPI) -> None:
    """Add the page."""
    app.add_api_route(f"{PREFIX}/{{shop}}/quality/groups", groups)


def groups(request: Request) -> Response:
    """The map and the list of all groups, or the items of one group."""
    visit: Visit = request.state.visit
    seen, loaded = visit.shop.seen(), visit.shop.seen().loaded
    if loaded is None:
        raise Refused(503, "refused.loading")
    answer = mapped(visit.shop, loaded)
    found, asked = answer.value, visit.asked("group")
    chosen = int(asked) if asked.isdecimal() and len(asked) < 7 else None
    if found is None or chosen is None:
        drawn = [] if found is None else _points(loaded, found)
        labels = [] if found is None else _labels(found)
        return visit.page(
            "groups.html",
            seen=seen,
            answer=answer,
            points=drawn,
            labels=labels,
            titles=loaded.catalogue.title,
            examples=EXAMPLES,
            hues=HUES,
        )
    if chosen >= len(found.clusters.groups):
        raise Refused(404, "refused.no_page")
    group = found.clusters.groups[chosen]
    cards = [card(loaded, seen, row) for row in group.rows[:PER_PAGE].tolist()]
    return visit.page("group.html", seen=seen, group=group, cards=cards)


def mapped(shop: LiveShop, loaded: LoadedGeneration) -> Answer[ClusterMap]:
    """The map of the live build by the content of its items, as soon as it is made."""
    explainer = next(iter(loaded.explainers.values()), None)
    if explainer is None:
        return Answer(fault=shop.seen().why_fault)
    context = explainer.context
    return shop.answers.ask(
        ("groups", loaded.live.build.key),
        lambda: cluster_map(context.catalogue.title, context.origins.joined().matrix, POINTS),
    )


def _points(
    loaded: LoadedGeneration, found: ClusterMap
) -> list[tuple[str, str, int, float, float]]:
    """Id, title, group and place of the drawn items."""
    catalogue = loaded.catalogue
    return [
        (catalogue.ids.ids[row], catalogue.title[row], int(found.clusters.label[row]), *_at(x, y))
        for row, (x, y) in zip(found.rows.tolist(), found.places.tolist(), strict=True)
    ]


def _labels(found: ClusterMap) -> list[Label]:
    """The names of the largest groups, but for those that would lie on another's."""
    placed: list[Label] = []
    for group, (x, y) in sorted(found.centres.items()):
        name = found.clusters.groups[group].name if group >= 0 else ""
        label = _inside(Label(group, name, *_at(x, y)))
        if name and len(placed) < LABELS and not any(_overlap(label, one) for one in placed):
            placed.append(label)
    return placed


def _inside(label: Label) -> Label:
    """The label moved so far that its name is not cut at the side of the map."""
    half = LETTER * len(label.name) / 2
    return replace(label, x=min(max(label.x, half), SIDE - half))


def _overlap(label: Label, other: Label) -> bool:
    reach = LETTER * (len(label.name) + len(other.name)) / 2
    return abs(label.x - other.x) < reach and abs(label.y - other.y) < LINE


def _at(x: float, y: float) -> tuple[float, float]:
    """Where a place of the square around 0 is in the drawing."""
    return round(SIDE * (x + 1) / 2, 1), round(SIDE * (1 - y) / 2, 1)
