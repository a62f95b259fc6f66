"""The Celery tasks. A message names a run or a shop; everything else is in the settings."""

import logging
from typing import Any

from recommender.build.steps import Task, Work
from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from workers import processes, reconciliation, run_planner, step_executor
from workers.celery import QUEUES, app, configured
from workers.messages import MAX_RETRIES
from workers.run_planner import PublicationLost
from workers.step_executor import StepDied, StepInterrupted

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
        begun = run_planner.begin_forked(shop)
    except RecommenderError as error:
        log.error("event=reindex_failed shop=%.60r error=%s", shop, error)  # noqa: TRY400
        raise
    if begun:
        advance.delay(begun)


@app.task(name="workers.advance", **_OPTIONS)  # type: ignore[untyped-decorator]
def advance(run_id: str) -> None:
    """Send the tasks of a run that can be done now."""
    run_planner.advance(run_id, send)


@app.task(name="workers.perform", bind=True, **_OPTIONS)  # type: ignore[untyped-decorator]
def perform(self: Any, run_id: str, step: str, shard: int) -> None:  # noqa: ANN401
    """Do one shard of one step of a run, then send the tasks that follow."""
    if not isinstance(step, str) or type(shard) is not int or shard < 0:
        raise ConfigError(f"step {step!r:.60}, shard {shard!r:.20}: no task")
    try:
        lease_s = step_executor.perform(run_id, Task(step, shard))
    except PublicationLost:
        lease_s = 0.0
    except StepInterrupted as error:
        again = (run_id, error.task.step, error.task.shard)
        perform.apply_async(again, queue=self.request.delivery_info["routing_key"])
        return
    except StepDied as error:
        raise self.retry(exc=error, countdown=AGAIN_S) from error
    if lease_s and self.request.delivery_info.get("redelivered") and not self.request.retries:
        # The worker that holds the lease is lost: try again when the lease has ended.
        raise self.retry(countdown=lease_s + AGAIN_S)
    run_planner.advance(run_id, send)


@app.task(name="workers.reconcile", **_OPTIONS)  # type: ignore[untyped-decorator]
def reconcile(shop: str) -> None:
    """Begin the work of a shop that is due, and repair what was lost."""
    reconciliation.reconcile(shop, send, begin, waiting)


@app.task(name="workers.evaluation", **_OPTIONS)  # type: ignore[untyped-decorator]
def evaluation(shop: str) -> None:
    """Evaluate the recipe of a shop; the table goes to the log."""
    table = processes.run_command("evaluate", "--json", "--config", str(configured().file(shop)))
    log.info("event=evaluated shop=%s table=%s", shop, " ".join(table.split()))


@app.task(name="workers.audit", **_OPTIONS)  # type: ignore[untyped-decorator]
def audit(shop: str) -> None:
    """Compare the live lists of a shop with the artifacts; where they differ, publish again."""
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
    """Count the messages in all queues, and declare queues again that the broker lost."""
    with app.connection_for_write() as connection:
        queues = [app.amqp.queues[name](connection.default_channel) for name in QUEUES.values()]
        for queue in queues:
            queue.declare()
        return sum(queue.queue_declare().message_count for queue in queues)
