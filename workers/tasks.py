"""The Celery tasks, and which messages from the broker may call them.

A message names a run or a shop; everything else is in the settings. Anyone who can write to the
broker can send anything, and some messages stop a bare Celery worker, or keep it busy for ever. So
a message has to be a JSON call of a task of this package, with the arguments that the task takes
and nothing attached.
"""

import inspect
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.worker.consumer import Consumer
from kombu.exceptions import KombuError
from kombu.message import Message
from kombu.transport import redis

from recommender.build.steps import Task, Work
from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from workers import processes, reconciliation, run_planner, step_executor
from workers.celery import QUEUES, app, configured
from workers.run_planner import PublicationLost
from workers.step_executor import StepDied, StepInterrupted

BACKOFF_S = 15
AGAIN_S = 1
LONGEST_BODY = 4096
SHOWN = 80
"""Characters of a refused body that the log may show."""
MAX_RETRIES = 3
FARTHEST_ETA = timedelta(minutes=15)
"""Above the longest lease and pause of a retry: a worker keeps a message in memory until its ETA,
beyond its prefetch limit."""
OLDEST_ETA = timedelta(days=365)
TASK_PREFIX = "workers."
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UNUSED = ("compression", "expires", "group", "shadow", "stamped_headers", "stamps")
"""Headers that change what a worker does and that no task of this package sets."""

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


class ScreenedConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, for messages without a fault; others take one line of the log."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Message], None]:  # noqa: ANN401
        """Celery's handler of messages, behind `fault`."""
        handle = super().create_task_handler(*args, **kwargs)

        def screen(message: Message) -> None:
            if found := fault(message, self.app.tasks):
                self._refuse(message, found)
            else:
                handle(message)

        return screen

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Refuse a message that could not be unpacked."""
        self._refuse(message, type(exc).__name__)

    def _refuse(self, message: Message, found: str) -> None:
        body = (message.body or "")[:SHOWN]
        log.warning("refused message: fault=%s body=%.*r", found, SHOWN, body)
        message.reject_log_error(log, self.connection_errors)  # type: ignore[no-untyped-call]


def fault(message: Message, tasks: Mapping[str, Any]) -> str | None:
    """Why a message may not run, in one line; None where it may."""
    if (message.content_type, message.content_encoding) != ("application/json", "utf-8"):
        return f"content type {message.content_type!r:.40} {message.content_encoding!r:.20}"
    if not message.body or len(message.body) > LONGEST_BODY:
        return f"body of {len(message.body or '')} bytes"
    name = message.headers.get("task")
    if not isinstance(name, str) or not name.startswith(TASK_PREFIX) or name not in tasks:
        return f"unknown task {name!r:.60}"
    return _header_fault(message.headers) or _body_fault(message, tasks[name])


def _header_fault(headers: Mapping[str, Any]) -> str | None:
    if not isinstance(headers.get("id"), str) or not ID.fullmatch(headers["id"]):
        return f"id {headers.get('id')!r:.60}"
    if used := [name for name in UNUSED if headers.get(name)]:
        return f"header {used[0]}"
    if headers.get("timelimit") not in (None, [None, None]):
        return "header timelimit"
    retries = headers.get("retries", 0)
    if type(retries) is not int or not 0 <= retries <= MAX_RETRIES:
        return f"retries {retries!r:.20}"
    return _eta_fault(headers.get("eta"))


def _eta_fault(eta: object) -> str | None:
    if eta is None:
        return None
    try:
        distance = datetime.fromisoformat(str(eta)) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return f"eta {eta!r:.40}"
    return None if -OLDEST_ETA <= distance <= FARTHEST_ETA else f"eta {eta!r:.40}"


def _body_fault(message: Message, task: Any) -> str | None:  # noqa: ANN401
    try:
        payload = message.payload
    except (KombuError, ValueError):
        return "body is no JSON"
    if not isinstance(payload, list) or [type(part) for part in payload] != [list, dict, dict]:
        return "body is no call"
    arguments, named, attached = payload
    if any(attached.values()):
        return "body has other calls attached"
    try:
        inspect.signature(task.run).bind(*arguments, **named)
    except TypeError as error:
        return f"arguments: {error}"
    return None


class Channel(redis.Channel):
    """A channel of kombu's Redis transport that survives two faults of the stock one.

    The stock channel raises the errors of its JSON parser into the event loop of the worker, so
    that one stray LPUSH ends the worker. Where a broker dies while a message is unacknowledged, it
    raises an AttributeError, which ends the worker, where a lost connection does not.
    """

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection to the broker was closed")
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        return parameters

    def _brpop_read(self, **options: Any) -> bool:  # noqa: ANN401
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[no-untyped-call]
        except (ValueError, RecursionError) as error:
            log.warning("dropped what is no message: %.80s", type(error).__name__)
            return True


class Transport(redis.Transport):
    """A transport that delivers whole messages only."""

    Channel = Channel

    def _deliver(self, message: object, queue: str) -> None:
        if not _is_whole(message):
            raise ValueError("no message")
        super()._deliver(message, queue)  # type: ignore[no-untyped-call]


def _is_whole(message: object) -> bool:
    """Whether kombu can unpack the message; compressed ones, which nobody sends, it may not."""
    if not isinstance(message, Mapping):
        return False
    headers, properties = message.get("headers"), message.get("properties")
    return (
        isinstance(message.get("body"), str)
        and isinstance(headers, Mapping)
        and "compression" not in headers
        and isinstance(properties, Mapping)
        and isinstance(properties.get("delivery_tag"), str)
        and isinstance(properties.get("delivery_info"), Mapping)
    )
