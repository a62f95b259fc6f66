"""Reconciliation, once a minute: begins runs that are due, and repairs what was lost.

Work that is due begins once per period, the minute that a cron expression names. The worker that
claims the period first begins it, so two beats, or a late beat, begin one run. Messages that the
broker lost are sent again, and lists that Redis lost are published again from the artifacts.
"""

import logging
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab

from recommender.artifacts.runs import Run, find_run
from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import (
    find_build,
    placements,
    read_ids,
    related_lists,
)
from recommender.build.storefront import records_of
from recommender.core.generation import Generation
from recommender.errors import ArtifactError, ConfigError
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import Staging
from recommender.serving.codec import BEST_SELLERS
from recommender.settings.tables import ScheduleSettings
from workers.celery import open_shop
from workers.processes import ForkedProcess, ReportEvent
from workers.run_planner import SendTask, advance, live_fence, open_run
from workers.shard_leases import ShardLeases

JOBS = ("reindex", "evaluation", "audit")
LATE_S = 3600
"""How late a period may still begin; after that it is left out."""
RECENT = 20
"""How many of the last runs are searched for those at work and for the last one published."""
SAMPLED = 200
RESEND_S = 600
"""How often tasks are sent again although messages wait, which may be those of other shops."""

BeginJob = Callable[[str, str], object]
"""Begins a job, by its name and the shop's."""

log = logging.getLogger(__name__)


def reconcile(shop: str, send: SendTask, begin: BeginJob, waiting: Callable[[], int]) -> None:
    """Reconcile one shop; `waiting` counts the messages of all queues.

    Raises: ConfigError, ArtifactError, StoreUnavailable.
    """
    with open_shop(shop) as (settings, publisher):
        store = settings.artifact_store()
        _sign(publisher)
        recent = [run for number in store.runs()[:RECENT] if (run := find_run(store, number))]
        working = [run for run in recent if run.state == "running"]
        for job in due(settings.schedule, publisher, datetime.now(UTC)):
            _begin(job, shop, working, begin)
        broken = None if working else _broken(store, publisher, recent)
        for run in working:
            lost = not waiting() or ShardLeases(publisher, run.number).mark("resent", RESEND_S)
            advance(run.id, send, again=lost)
    if broken is not None:
        restore(broken.id, send)


def _begin(job: str, shop: str, working: list[Run], begin: BeginJob) -> None:
    if job == "reindex" and working:
        log.warning("event=not_begun shop=%s because=%s is running", shop, working[0].id)
        return
    log.info("event=due shop=%s job=%s", shop, job)
    begin(job, shop)


def due(settings: ScheduleSettings, publisher: Publisher, now: datetime) -> Iterator[str]:
    """The jobs whose period has come and that nobody has begun; they then count as begun.

    Raises: ConfigError; StoreUnavailable.
    """
    for job in JOBS:
        expression = getattr(settings, job)
        period = expression and last_period(expression, settings.time_zone, now)
        if not period:
            continue
        key = f"rec:{{{publisher.shop}}}:fleet:period:{job}:{period:%Y-%m-%dT%H:%M}"
        with publisher.errors("claiming a period"):
            if publisher.store.set(key, "begun", nx=True, px=2 * LATE_S * 1000):
                yield job


def last_period(expression: str, time_zone: str, now: datetime) -> datetime | None:
    """The last minute (UTC) that the expression names, at most LATE_S ago.

    Raises: ConfigError where the expression has not five fields, or there is no such time zone.
    """
    cron, zone = _parsed(expression), _zone(time_zone)
    minute = now.replace(second=0, microsecond=0)
    for back in range(LATE_S // 60):
        at = (minute - timedelta(minutes=back)).astimezone(zone)
        if _names(cron, at):
            return at.astimezone(UTC)
    return None


def _parsed(expression: str) -> crontab:
    try:
        return crontab.from_string(expression)
    except (ParseException, ValueError, IndexError) as error:
        raise ConfigError(
            f"schedule {expression!r:.60}: not a cron expression of five fields: {error}"
        ) from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(f"schedule.time_zone = {name!r:.60}: there is no such zone") from error


def _names(cron: crontab, at: datetime) -> bool:
    return (
        at.minute in cron.minute
        and at.hour in cron.hour
        and at.isoweekday() % 7 in cron.day_of_week
        and at.day in cron.day_of_month
        and at.month in cron.month_of_year
    )


def _broken(store: ArtifactStore, publisher: Publisher, recent: list[Run]) -> Run | None:
    """The run to publish again, where Redis lost the live pointer, or lists of that generation.

    A replica that took over may have an earlier pointer than the last run that was published.
    """
    live, fence = publisher.live(), live_fence(publisher)
    newest = next((run for run in recent if run.state == "published"), None)
    if live is None or (newest is not None and newest.number > fence):
        if newest is not None:
            log.error("event=pointer_lost shop=%s run=%s fence=%d", store.shop, newest.id, fence)
        return newest
    run = find_run(store, live.id)  # whatever its record says: its publisher may have died
    if run is None:
        return None
    missing = _missing(store, publisher, live)
    if missing:
        log.error("event=lists_lost run=%s missing=%d of=%d", run.id, missing, SAMPLED)
    return run if missing else None


def _missing(store: ArtifactStore, publisher: Publisher, live: Generation) -> int:
    """How many lists of a sample are not in Redis, and records, where some of these are."""
    try:
        build = find_build(store, live.lists_key)
    except ArtifactError as error:
        log.warning("event=not_sampled generation=%d error=%s", live.id, error)
        return 0
    ids = read_ids(store, build).ids
    # Not seeded: the next sample finds a gap that this one misses.
    sample = random.sample(ids, min(len(ids), SAMPLED))
    keys = publisher.keys
    names = [
        keys.related_list(live.id, placement, item)
        for placement in placements(build)
        for item in (BEST_SELLERS, *sample)
    ]
    records = [keys.record(live.id, item) for item in sample]
    with publisher.errors("sampling lists"):
        missing = len(names) - int(publisher.store.exists(*names))
        found = int(publisher.store.exists(*records)) if records else 0
    return missing + (len(records) - found if found else 0)


def reconciled_s_ago(publisher: Publisher) -> float | None:
    """Seconds since a worker reconciled the shop, by the clock of its Redis; None where never."""
    with publisher.errors("reading"):
        signed = publisher.store.get(_signature(publisher))
        now = publisher.store.time()[0]
    return None if signed is None else float(now - int(signed))


def _sign(publisher: Publisher) -> None:
    with publisher.errors("reconciling"):
        publisher.store.set(_signature(publisher), publisher.store.time()[0])


def _signature(publisher: Publisher) -> str:
    return f"rec:{{{publisher.shop}}}:fleet:reconciled"


def audited(shop: str) -> str:
    """Compare every live list with the artifacts, in a child process.

    Returns the run to publish again, "" for none. Raises: RecommenderError.
    """
    with open_shop(shop):  # raises for a shop that there is not, before anything is forked
        pass
    broken = ""
    for event in ForkedProcess(partial(_audit, shop)).run():
        log.info("event=audited %s", " ".join(f"{k}={v}" for k, v in event.items()))
        broken = event["run"] if event["differing"] else ""
    return broken


def _audit(shop: str, report: ReportEvent) -> None:
    with open_shop(shop) as (settings, publisher):
        store, live = settings.artifact_store(), publisher.live()
        run = find_run(store, live.id) if live else None
        if live is None or run is None:
            return
        build = find_build(store, live.lists_key)
        staging = Staging.full(
            publisher.keys,
            live.id,
            read_ids(store, build),
            related_lists(store, build),
            records_of(store, build),
        )
        differing = 0
        with publisher.errors("auditing"):
            for values in staging.batches(publisher.batch):
                stored = publisher.store.mget(list(values))
                differing += sum(
                    value != found for value, found in zip(values.values(), stored, strict=True)
                )
        report("compared", run=run.id, lists=staging.n_keys, differing=differing)


def restore(run_id: str, send: SendTask) -> None:
    """Make the build of a run live again, under a new number."""
    with open_run(run_id) as planner:
        again = planner.continued(planner.run.state, was_live=True)
    log.info("event=restoring run=%s as=%s", run_id, again.id)
    advance(again.id, send)
