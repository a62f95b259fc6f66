"""The jobs that workers take. A message names a run or a shop; all else stands in settings."""

import logging
from typing import Any

from recommender.build.steps import Task, Work
from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from workers import command, crew, reconciliation, runs
from workers.celery import QUEUES, app
from workers.course import PublicationLost
from workers.crew import StepDied, StepLeft
from workers.messages import MAX_RETRIES
from workers.shops import configured

BACKOFF_S = 15
AGAIN_S = 1

log = logging.getLogger(__name__)

_OPTIONS: dict[str, Any] = {
    "throws": (RecommenderError,),
    "autoretry_for": (StoreUnavailable,),
    "max_retries": MAX_RETRIES,
    "retry_backoff": BACKOFF_S,
    "retry_jitter": False,
}


@app.task(name="workers.reindex", **_OPTIONS)  # type: ignore[untyped-decorator]
def reindex(shop: str) -> None:
    """Begin a run of one shop, unless nothing changed since the live generation."""
    try:
        begun = runs.begin_apart(shop)
    except RecommenderError as error:
        log.error("event=reindex_failed shop=%.60r error=%s", shop, error)  # noqa: TRY400
        raise
    if begun:
        advance.delay(begun)


@app.task(name="workers.advance", **_OPTIONS)  # type: ignore[untyped-decorator]
def advance(run_id: str) -> None:
    """Send what can be done now of a run."""
    crew.advance(run_id, send)


@app.task(name="workers.perform", bind=True, **_OPTIONS)  # type: ignore[untyped-decorator]
def perform(self: Any, run_id: str, step: str, shard: int) -> None:  # noqa: ANN401
    """Do one shard of one step of a run, then see what comes next."""
    if not isinstance(step, str) or type(shard) is not int or shard < 0:
        raise ConfigError(f"step {step!r:.60}, shard {shard!r:.20}: no task")
    try:
        holder = crew.perform(run_id, Task(step, shard))
    except PublicationLost:
        holder = ""
    except StepLeft as error:
        again = (run_id, error.task.step, error.task.shard)
        perform.apply_async(again, queue=self.request.delivery_info["routing_key"])
        return
    except StepDied as error:
        raise self.retry(exc=error, countdown=AGAIN_S) from error
    if holder and self.request.delivery_info.get("redelivered") and not self.request.retries:
        # The worker that held it is lost: try again when its claim has run out.
        raise self.retry(countdown=crew.lease_s(run_id) + AGAIN_S)
    crew.advance(run_id, send)


@app.task(name="workers.reconcile", **_OPTIONS)  # type: ignore[untyped-decorator]
def reconcile(shop: str) -> None:
    """See that what should happen happens: what is due, what was lost, what is gone from Redis."""
    reconciliation.reconcile(shop, send, begin, waiting)


@app.task(name="workers.evaluation", **_OPTIONS)  # type: ignore[untyped-decorator]
def evaluation(shop: str) -> None:
    """Judge the recipe of a shop; the table goes to the log."""
    table = command.run("evaluate", "--json", "--config", str(configured().file(shop)))
    log.info("event=evaluated shop=%s table=%s", shop, " ".join(table.split()))


@app.task(name="workers.audit", **_OPTIONS)  # type: ignore[untyped-decorator]
def audit(shop: str) -> None:
    """Compare the live lists of a shop with the artifacts; where they differ, publish anew."""
    broken = reconciliation.audited(shop)
    if broken:
        reconciliation.restore(broken, send)


def begin(job: str, shop: str) -> None:
    """Send one of the jobs of the schedule."""
    {"reindex": reindex, "evaluation": evaluation, "audit": audit}[job].delay(shop)


def send(run_id: str, task: Task, work: Work) -> None:
    """Send one task to the queue of its work."""
    perform.apply_async((run_id, task.step, task.shard), queue=QUEUES[work])


def waiting() -> int:
    """How many messages wait in all queues, which are declared anew where the broker lost them."""
    with app.connection_for_write() as connection:
        queues = [app.amqp.queues[name](connection.default_channel) for name in QUEUES.values()]
        for queue in queues:
            queue.declare()
        return sum(queue.queue_declare().message_count for queue in queues)
