"""Reconciling: what should be, beside what is, once a minute; set right from the artifacts."""

import logging
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from recommender.artifacts.runs import Run, find_run
from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import find_build, placements, read_ids, related_lists
from recommender.core.generation import Generation
from recommender.errors import ArtifactError
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import Staging
from recommender.serving.codec import BEST_SELLERS
from workers import crew, schedule
from workers.claims import Claims
from workers.course import course_of, shop_at_work, successor
from workers.crew import Send
from workers.process import WATCHED_S, Ended, Process, Tell

Begin = Callable[[str, str], object]
RECENT = 20
"""Among so many last runs the one is looked for that is at work, or was published."""
LOOKED_AT = 200
RUNG_AGAIN_S = 600

log = logging.getLogger(__name__)


def reconcile(shop: str, send: Send, begin: Begin, waiting: Callable[[], int]) -> None:
    """See to one shop; `begin` takes the name of a job and that of the shop.

    Raises: ConfigError, ArtifactError, StoreUnavailable.
    """
    with shop_at_work(shop) as (settings, publisher):
        store = settings.artifact_store()
        _sign(publisher)
        recent = list(_recent(store))
        working = [run for run in recent if run.state == "running"]
        for job in schedule.due(settings.schedule, publisher, datetime.now(UTC)):
            _begin(job, shop, working, begin)
        broken = None if working else _broken(store, publisher, recent)
        for run in working:
            # Where messages wait, they may be those of others: a busy queue hides a loss.
            lost = not waiting() or Claims(publisher, run.number).first("rung", RUNG_AGAIN_S)
            crew.advance(run.id, send, again=lost)
    if broken is not None:
        restore(broken.id, send)


def _begin(job: str, shop: str, working: list[Run], begin: Begin) -> None:
    if job == "reindex" and working:
        log.warning("event=not_begun shop=%s because=%s is running", shop, working[0].id)
        return
    log.info("event=due shop=%s job=%s", shop, job)
    begin(job, shop)


def _recent(store: ArtifactStore) -> Iterator[Run]:
    for number in store.runs()[:RECENT]:
        run = find_run(store, number)
        if run is not None:
            yield run


def _broken(store: ArtifactStore, publisher: Publisher, recent: list[Run]) -> Run | None:
    """The run that has to go live again: Redis lost the pointer, or lists behind it."""
    live = publisher.live()
    if live is None:
        lost = next((run for run in recent if run.state == "published"), None)
        if lost is not None:
            log.error("event=pointer_lost shop=%s run=%s", store.shop, lost.id)
        return lost
    run = find_run(store, live.id)
    if run is None or run.state != "published":
        return None
    missing = _missing(store, publisher, live)
    if missing:
        log.error("event=lists_lost run=%s missing=%d of=%d", run.id, missing, LOOKED_AT)
    return run if missing else None


def _missing(store: ArtifactStore, publisher: Publisher, live: Generation) -> int:
    """How many of some lists, drawn anew each time, are not in Redis."""
    try:
        build = find_build(store, live.lists_key)
    except ArtifactError as error:
        log.warning("event=not_looked_at generation=%d error=%s", live.id, error)
        return 0
    ids = read_ids(store, build).ids
    # Another draw each time, so that a gap that one misses is found by the next.
    drawn = [BEST_SELLERS, *random.sample(ids, min(len(ids), LOOKED_AT))]
    keys = publisher.keys
    names = [
        keys.related_list(live.id, placement, item)
        for placement in placements(build)
        for item in drawn
    ]
    with publisher.errors("looking at lists"):
        return len(names) - int(publisher.store.exists(*names))


def signed_s_ago(publisher: Publisher) -> float | None:
    """How long ago a worker reconciled the shop, by the clock of its Redis; None where never."""
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
    """Compare every live list with the artifacts, in a process of its own.

    Returns the run that has to go live again, "" for none. Raises: RecommenderError.
    """
    with shop_at_work(shop):
        pass
    broken = ""
    for event in Process(partial(_audit, shop), lambda: True, WATCHED_S).events():
        if not isinstance(event, Ended):
            log.info("event=audited %s", " ".join(f"{k}={v}" for k, v in event.items()))
            broken = event["run"] if event["differing"] else ""
        else:
            event.check()
    return broken


def _audit(shop: str, tell: Tell) -> None:
    with shop_at_work(shop) as (settings, publisher):
        store, live = settings.artifact_store(), publisher.live()
        run = find_run(store, live.id) if live else None
        if live is None or run is None:
            return
        build = find_build(store, live.lists_key)
        staging = Staging.full(
            publisher.keys, live.id, read_ids(store, build), related_lists(store, build)
        )
        differing = 0
        with publisher.errors("auditing"):
            for values in staging.batches(publisher.batch):
                stored = publisher.store.mget(list(values))
                differing += sum(
                    value != found for value, found in zip(values.values(), stored, strict=True)
                )
        tell("compared", run=run.id, lists=staging.n_keys, differing=differing)


def restore(run_id: str, send: Send) -> None:
    """Make the build of a run live again, under a new number."""
    with course_of(run_id) as course:
        again = successor(course, course.run.state)
    log.info("event=restoring run=%s as=%s", run_id, again.id)
    crew.advance(again.id, send)
