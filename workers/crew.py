"""The crew: performs tasks of runs, each behind a claim, and says what comes next.

What is sent are doorbells. Whoever is rung looks at what is there, claims what nobody works on, and
goes on with the shards beside it, so that libraries and inputs are loaded once for many.
"""

import dataclasses
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from recommender.artifacts.runs import require_run
from recommender.build.steps import Task, Work
from recommender.errors import (
    ConfigError,
    DataError,
    GateHeld,
    MissingExtra,
    RecommenderError,
    StoreUnavailable,
)
from workers import course as courses
from workers.claims import Claims
from workers.course import Course, PublicationLost, course_of, ready
from workers.leaving import leaving
from workers.process import LEFT, MEBIBYTE, Ended, Process, Tell

ATTEMPTS = 3
TOGETHER_S = 60.0
"""For about so long a process goes on with shards of one step before it hands over."""
FATAL = frozenset(kind.__name__ for kind in (ConfigError, DataError, MissingExtra))

Send = Callable[[str, Task, Work], None]
"""Sends a task of a run to the queue of its kind of work."""

log = logging.getLogger(__name__)


class StepLeft(RecommenderError):
    """The worker was asked to end before `task` was done; another is to do it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        super().__init__(f"step {task.step}, shard {task.shard}: its worker leaves")


class StepDied(RecommenderError):
    """The process of a step was killed or broke; it may be tried again."""


@dataclass(slots=True)
class Hold:
    """The claim that this process holds now, renewed from the thread that watches."""

    owner: str = field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    )
    claims: Claims | None = None
    claim: str = ""

    def kept(self) -> bool:
        """Renew the claim; False where another has it."""
        claims, claim = self.claims, self.claim
        return not claims or not claim or claims.renew(claim, self.owner)


def advance(run_id: str, send: Send, *, again: bool = False) -> None:
    """Send what can be done now of a run; `again` where it may have been sent and lost."""
    with course_of(run_id) as course:
        if course.run.state != "running":
            return
        if courses.superseded(course):
            course.run.save(course.store, state="superseded", error="a later run took its place")
            log.info("event=superseded run=%s", run_id)
            return
        try:
            tasks = ready(course)
        except PublicationLost:
            run = courses.successor(course)
            log.warning("event=continued run=%s as=%s", run_id, run.id)
            advance(run.id, send)
            return
        except (ConfigError, DataError) as error:
            _fail(course, str(error))
            return
        for task in _unsent(course, tasks, again=again):
            log.info("event=sent run=%s step=%s shard=%d", run_id, task.step, task.shard)
            send(run_id, task, courses.work_of(course, task))


def perform(run_id: str, task: Task) -> str:
    """Do a task, and what may be done with it, in a process of its own.

    Returns who holds the claim where that is another; "" otherwise.
    Raises: StepLeft, StepDied, StoreUnavailable; PublicationLost where the run needs another
    number; ConfigError and ArtifactError for a run or step that there is not.
    """
    if leaving():
        raise StepLeft(task)
    with course_of(run_id) as course:
        if course.run.state != "running" or courses.exists(course, task):
            return ""
        hold, memory = Hold(), course.settings.limits.memory_mb
        lease_s = course.claims.lease_s
    process = Process(_work(run_id, task, hold), hold.kept, lease_s / 3, memory)
    at, holder = task, ""
    for event in process.events():
        if isinstance(event, Ended):
            _settle(run_id, at, hold.owner, event)
            continue
        about = Task(event["step"], event["shard"])
        if event["event"] == "began":
            at = about
        elif event["event"] == "left" and about == task:
            holder = event["holder"]
        told = " ".join(f"{name}={value}" for name, value in event.items())
        log.info("%s run=%s", told, run_id)
    return holder


def lease_s(run_id: str) -> float:
    """After how long the claim of a worker that was lost is free."""
    with course_of(run_id) as course:
        return course.claims.lease_s


def _work(run_id: str, task: Task, hold: Hold) -> Callable[[Tell], None]:
    def work(tell: Tell) -> None:
        until = time.monotonic() + TOGETHER_S
        with course_of(run_id) as course:
            for following in _following(course, task, until):
                if not _claimed(course, following, hold, tell):
                    if following == task:
                        return
                    continue
                started = time.monotonic()
                try:
                    courses.perform(course, following)
                except GateHeld as error:
                    tell("held", step=following.step, shard=following.shard, why=str(error))
                except StoreUnavailable:
                    course.claims.forget_attempts(following)  # it is not the task that fails
                    raise
                finally:
                    claim, hold.claim = hold.claim, ""
                    course.claims.release(claim, hold.owner)
                _made(course, following, hold.owner, time.monotonic() - started, tell)

    return work


def _following(course: Course, task: Task, until: float) -> Iterator[Task]:
    """The task, then others of its step for a while; a publication is seen through to its end.

    No others where the worker leaves.
    """
    yield task
    passed = {task}
    publishing = courses.goes_live(task)
    while near := _near(course, task, passed):
        for other in near:
            if leaving() or (not publishing and time.monotonic() > until):
                return
            passed.add(other)
            yield other


def _near(course: Course, task: Task, passed: set[Task]) -> list[Task]:
    """What is ready beside a task; each worker begins behind its own, so that few meet."""
    run = require_run(course.store, course.run.number)
    if run.state != "running":
        return []
    try:
        tasks = ready(dataclasses.replace(course, run=run))
    except PublicationLost:
        return []
    if not courses.goes_live(task):
        tasks = [other for other in tasks if other.step == task.step]
    left = [other for other in tasks if other not in passed]
    return sorted(left, key=lambda other: (other.shard < task.shard, other.shard))


def _claimed(course: Course, task: Task, hold: Hold, tell: Tell) -> bool:
    claim = courses.claim_of(course, task)
    attempt, holder = course.claims.take(claim, task, hold.owner)
    if not attempt:
        tell("left", step=task.step, shard=task.shard, holder=holder)
        return False
    if courses.exists(course, task):
        course.claims.release(claim, hold.owner)
        return False
    if attempt > ATTEMPTS:
        course.claims.release(claim, hold.owner)
        _fail(course, _why(course, task))
        return False
    hold.claims, hold.claim = course.claims, claim
    tell("began", step=task.step, shard=task.shard, attempt=attempt, owner=hold.owner)
    return True


def _made(course: Course, task: Task, owner: str, seconds: float, tell: Tell) -> None:
    from recommender.core.telemetry import peak_bytes

    cost = {"seconds": round(seconds, 3), "peak_bytes": peak_bytes()}
    stage = f"{task.step}.{task.shard}"
    course.claims.note("costs", stage, {"stage": stage, "owner": owner, **cost})
    course.claims.forget_attempts(task)
    tell("made", step=task.step, shard=task.shard, **cost)


def _settle(run_id: str, task: Task, owner: str, ended: Ended) -> None:
    """After a process has ended: nothing, or a death or an error written down, or a failed run.

    Raises: StoreUnavailable where that was its error; StepLeft; StepDied where another attempt is
    left.
    """
    if not ended.signal and not ended.kind:
        return
    if ended.kind == LEFT:
        with course_of(run_id) as course:
            course.claims.forget_attempts(task)
            course.claims.release(courses.claim_of(course, task), owner)
        log.info("event=left run=%s step=%s shard=%d", run_id, task.step, task.shard)
        raise StepLeft(task)
    how = _signal_name(ended.signal) if ended.signal else ended.error
    peak = round(ended.peak_bytes / MEBIBYTE)
    log.error(
        "event=died run=%s step=%s shard=%d peak_mib=%d how=%s",
        *(run_id, task.step, task.shard, peak, how),
    )
    if ended.kind == StoreUnavailable.__name__:
        raise StoreUnavailable(ended.error)
    with course_of(run_id) as course:
        stage = f"{task.step}.{task.shard}"
        course.claims.note("deaths", stage, {"how": how, "peak_mib": peak})
        claim = courses.claim_of(course, task)
        course.claims.release(claim, owner)
        if ended.kind in FATAL:
            _fail(course, ended.error)
        elif course.claims.attempts(task) >= ATTEMPTS:
            _fail(course, _why(course, task))
        else:
            raise StepDied(f"step {task.step}, shard {task.shard}: {how}")


def _why(course: Course, task: Task) -> str:
    death = course.claims.notes("deaths").get(f"{task.step}.{task.shard}")
    how = f"{death['how']}, peak memory {death['peak_mib']} MiB" if death else "its worker was lost"
    return f"step {task.step}, shard {task.shard}: given up after {ATTEMPTS} attempts: {how}"


def _fail(course: Course, why: str) -> None:
    run = require_run(course.store, course.run.number)
    if run.state == "running":
        run.save(course.store, state="failed", error=why)
    log.error("event=failed run=%s error=%s", course.run.id, why)


def _unsent(course: Course, tasks: list[Task], *, again: bool) -> list[Task]:
    """Those tasks that nobody was sent for; or, `again`, that nobody is at work on."""
    if again:
        held = course.claims.holders([courses.claim_of(course, task) for task in tasks])
        return [task for task, holder in zip(tasks, held, strict=True) if not holder]
    steps = {task.step for task in tasks}
    first = {step for step in sorted(steps) if course.claims.first(f"sent:{step}")}
    return [task for task in tasks if task.step in first]


def _signal_name(number: int) -> str:
    try:
        return f"ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended by signal {number}"
