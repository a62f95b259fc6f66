"""The pages of quality: figures by build, and what lint finds, as a work list."""

import csv
import io
from collections.abc import Sequence

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.artifacts.runs import all_runs
from recommender.console.answers import Answer
from recommender.console.cards import Card, card_of
from recommender.console.live_shop import LiveShop
from recommender.console.rendering import PREFIX, path
from recommender.console.routes.home import figures_of, trends
from recommender.console.visits import Refused, Visit
from recommender.core.neighbours import NONE
from recommender.core.spreadsheet import harmless
from recommender.insights.checks import KINDS, Finding
from recommender.insights.lint import COLUMNS, Report, finding_rows, lint

PER_PAGE = 50


def add(app: FastAPI) -> None:
    """Add the pages."""
    app.add_api_route(f"{PREFIX}/{{shop}}/quality", quality)
    app.add_api_route(f"{PREFIX}/{{shop}}/quality", again, methods=["POST"])
    app.add_api_route(f"{PREFIX}/{{shop}}/quality/findings.csv", export)


def quality(request: Request) -> Response:
    """The figures of the last builds, and the findings of one kind."""
    visit: Visit = request.state.visit
    shop = visit.shop
    figures = figures_of(shop, all_runs(shop.artifacts))
    report = linted(shop)
    found = report.value
    counts = {} if found is None else _counts(found)
    kind = visit.asked("kind") or next(iter(counts), "")
    number = visit.asked("page", "1")
    page = max(1, int(number)) if number.isdecimal() and len(number) < 7 else 1
    rows = [] if found is None else found.of_kind(kind)
    return visit.page(
        "quality.html",
        figures=figures,
        trends=trends(figures.value or ()),
        report=report,
        counts=counts,
        meanings=KINDS,
        kind=kind,
        page=page,
        pages=max(1, -(-len(rows) // PER_PAGE)),
        rows=_shown(shop, found, rows[(page - 1) * PER_PAGE : page * PER_PAGE]),
    )


def again(request: Request) -> Response:
    """Check the catalogue anew."""
    visit: Visit = request.state.visit
    visit.shop.answers.forget(_question(visit.shop))
    return visit.redirect(path(visit.shop.name, "quality"))


def export(request: Request) -> Response:
    """All findings as CSV. Raises: Refused until the catalogue is checked."""
    visit: Visit = request.state.visit
    report = linted(visit.shop).value
    if report is None:
        raise Refused(503, "refused.loading")
    written = io.StringIO()
    rows = [COLUMNS, *finding_rows(report)]
    csv.writer(written).writerows([harmless(cell) for cell in row] for row in rows)
    name = f"{visit.shop.name}-findings.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def linted(shop: LiveShop) -> Answer[Report]:
    """What lint finds, as soon as it is known."""
    loaded = shop.seen().loaded
    build = loaded.live.build if loaded else None
    return shop.answers.ask(_question(shop), lambda: lint(shop.settings.job(), build))


def _question(shop: LiveShop) -> tuple[str, int]:
    loaded = shop.seen().loaded
    return "lint", loaded.live.number if loaded else 0


def _counts(report: Report) -> dict[str, int]:
    """How many items have a finding of each kind that was found."""
    counts = {kind: len({one.row for one in report.of_kind(kind)}) for kind in KINDS}
    return {kind: count for kind, count in counts.items() if count}


def _shown(
    shop: LiveShop, report: Report | None, findings: Sequence[Finding]
) -> list[tuple[str, str, Card | None, Finding, str, str]]:
    """Findings with the id, title and card of their item, and the id and title of the other."""
    if report is None:
        return []
    ids, titles, seen = report.catalogue.ids.ids, report.catalogue.title, shop.seen()
    return [
        (
            *(ids[one.row], titles[one.row], card_of(seen, ids[one.row]), one),
            *((ids[one.other], titles[one.other]) if one.other != NONE else ("", "")),
        )
        for one in findings
    ]
