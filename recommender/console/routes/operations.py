"""The pages of operations: runs with their stages, doctor, the audit log, the settings in force."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from recommender.artifacts.runs import all_runs, find_run
from recommender.console.answers import Answer
from recommender.console.live_shop import LiveShop
from recommender.console.rendering import PREFIX, path
from recommender.console.visits import Refused, Visit
from recommender.core.redaction import redacted
from recommender.insights.diagnosis import Diagnosis, Verdict
from recommender.insights.doctor import diagnose
from recommender.settings.origins import settings_in_force

RUNS, ENTRIES = 50, 100
DOCTOR = "doctor"
ORDER: tuple[Verdict, ...] = ("fault", "warning", "ok")


def add(app: FastAPI) -> None:
    """Add the pages."""
    base = f"{PREFIX}/{{shop}}/operations"
    app.add_api_route(base, operations)
    app.add_api_route(f"{base}/run", run)
    app.add_api_route(f"{base}/doctor", doctor)
    app.add_api_route(f"{base}/doctor", again, methods=["POST"])
    app.add_api_route(f"{base}/log", log)
    app.add_api_route(f"{base}/settings", settings)


def operations(request: Request) -> Response:
    """The last runs."""
    visit: Visit = request.state.visit
    return visit.page("runs.html", runs=all_runs(visit.shop.artifacts)[:RUNS], view="runs")


def run(request: Request) -> Response:
    """One run: how it ended, what it read, and what each stage cost."""
    visit: Visit = request.state.visit
    number = visit.asked("number")
    found = None
    if number.isdecimal() and len(number) < 19:
        found = find_run(visit.shop.artifacts, int(number))
    if found is None:
        raise Refused(404, "refused.no_page")
    seconds = [float(stage["seconds"]) for stage in found.stages]
    return visit.page("run.html", run=found, longest=max(seconds, default=0.0) or 1.0, view="runs")


def doctor(request: Request) -> Response:
    """What doctor finds, as soon as it has looked."""
    visit: Visit = request.state.visit
    answer = examined(visit.shop)
    checks = sorted(answer.value or (), key=lambda one: ORDER.index(one.verdict))
    return visit.page("doctor.html", answer=answer, checks=checks, view="doctor")


def again(request: Request) -> Response:
    """Let doctor look anew."""
    visit: Visit = request.state.visit
    visit.shop.answers.forget(DOCTOR)
    return visit.redirect(path(visit.shop.name, "operations/doctor"))


def log(request: Request) -> Response:
    """The newest entries of the audit log."""
    visit: Visit = request.state.visit
    entries = visit.shop.settings.audit_log().newest(ENTRIES)
    return visit.page("log.html", entries=entries, view="log")


def settings(request: Request) -> Response:
    """The settings in force, with secrets masked. They need the role operate."""
    visit: Visit = request.state.visit
    visit.require("operate")
    return visit.page("settings.html", rows=settings_in_force(visit.shop.settings), view="settings")


def examined(shop: LiveShop) -> Answer[list[Diagnosis]]:
    """The result of all checks of doctor, secrets masked."""

    def work() -> list[Diagnosis]:
        found = diagnose(shop.settings, shop.connection(), measure=False)
        return [Diagnosis(one.what, one.verdict, redacted(one.detail)) for one in found]

    return shop.answers.ask(DOCTOR, work)
