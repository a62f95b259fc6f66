"""Performs tasks of runs, each under a lease, in a child process.

A message names one task. The worker that receives it also does other shards of the step, so that
libraries and inputs are loaded once for many shards.
"""

import dataclasses
import logging
import time
from collections.abc import Iterator
from functools import partial

from recommender import pipeline
from recommender.artifacts.runs import require_run
from recommender.build import steps
from recommender.build.contents import (
    find_build,
    part_of_lists,
    placements,
    read_ids,
    related_lists,
)
from recommender.build.folded_changes import leave_live
from recommender.build.gates import gated
from recommender.build.repair import absent
from recommender.build.steps import Task
from recommender.build.storefront import records_of
from recommender.errors import (
    ConfigError,
    DataError,
    GateHeld,
    MissingExtra,
    RecommenderError,
    StoreUnavailable,
)
from recommender.evaluation.harness import judge_of
from workers import run_planner
from workers.processes import (
    MEBIBYTE,
    SHUT_DOWN,
    Ended,
    ForkedProcess,
    ReportEvent,
    ended_by,
    shutting_down,
)
from workers.run_planner import PublicationLost, RunPlanner, open_run, publishes
from workers.shard_leases import HeldLease

ATTEMPTS = 3
TOGETHER_S = 60.0
"""For about how long a process goes on with shards of one step before it ends."""
FATAL = frozenset(kind.__name__ for kind in (ConfigError, DataError, MissingExtra))
"""Errors of a step that another attempt would meet again."""

log = logging.getLogger(__name__)


class StepInterrupted(RecommenderError):
    """The worker shuts down before `task` was done; another worker has to do it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        super().__init__(f"step {task.step}, shard {task.shard}: its worker shuts down")


class StepDied(RecommenderError):
    """The process of a step was killed or broke; it may be tried again."""


def perform(run_id: str, task: Task) -> float:
    """Do a task, and others that can be done along with it, in a child process.

    Returns 0, or the length in seconds of a lease on the task that another process holds.
    Raises: StepInterrupted, StepDied, StoreUnavailable; PublicationLost where the run needs another
    number; ConfigError and ArtifactError for a run or step that does not exist.
    """
    if shutting_down():
        raise StepInterrupted(task)
    with open_run(run_id) as planner:
        if planner.run.state != "running" or planner.is_done(task):
            return 0.0
        held, memory_mb = HeldLease(), planner.settings.limits.memory_mb
        lease_s = planner.leases.lease_s
    work = partial(_perform_all, run_id, task, held)
    process = ForkedProcess(work, held.renew, lease_s / 3, memory_mb)
    current, left_s = task, 0.0
    for event in process.events():
        if isinstance(event, Ended):
            _settle(run_id, current, held.owner, event)
            continue
        about = Task(event["step"], event["shard"])
        if event["event"] == "began":
            current = about
        elif event["event"] == "left" and about == task:
            left_s = lease_s
        fields = " ".join(f"{name}={value}" for name, value in event.items())
        log.info("%s run=%s", fields, run_id)
    return left_s


def _perform_all(run_id: str, task: Task, held: HeldLease, report: ReportEvent) -> None:
    """The part of `perform` that runs in the child process."""
    until = time.monotonic() + TOGETHER_S
    with open_run(run_id) as planner:
        for following in _following(planner, task, until):
            if _leased(planner, following, held, report):
                _perform_leased(planner, following, held, report)
            elif following == task:
                return


def _perform_leased(planner: RunPlanner, task: Task, held: HeldLease, report: ReportEvent) -> None:
    from recommender.core.telemetry import peak_bytes

    started = time.monotonic()
    try:
        _perform(planner, task)
    except GateHeld as error:
        report("held", step=task.step, shard=task.shard, why=str(error))
    except StoreUnavailable:
        planner.leases.reset_attempts(task)  # the task is not at fault
        raise
    finally:
        name, held.name = held.name, ""
        planner.leases.release(name, held.owner)
    cost = {"seconds": round(time.monotonic() - started, 3), "peak_bytes": peak_bytes()}
    stage = f"{task.step}.{task.shard}"
    planner.leases.record("costs", stage, {"stage": stage, "owner": held.owner, **cost})
    planner.leases.reset_attempts(task)
    report("made", step=task.step, shard=task.shard, **cost)


def _following(planner: RunPlanner, task: Task, until: float) -> Iterator[Task]:
    """The task, then others of its step until a time; a publication goes on to its end.

    There are no others where the worker shuts down.
    """
    yield task
    passed = {task}
    while others := _others(planner, task, passed):
        for other in others:
            if shutting_down() or (not publishes(task) and time.monotonic() > until):
                return
            passed.add(other)
            yield other


def _others(planner: RunPlanner, task: Task, passed: set[Task]) -> list[Task]:
    """Other tasks that are ready, those after `task` first, so that few workers meet."""
    run = require_run(planner.store, planner.run.number)
    if run.state != "running":
        return []
    try:
        tasks = dataclasses.replace(planner, run=run).ready()
    except PublicationLost:
        return []
    if not publishes(task):
        tasks = [other for other in tasks if other.step == task.step]
    left = [other for other in tasks if other not in passed]
    return sorted(left, key=lambda other: (other.shard < task.shard, other.shard))


def _leased(planner: RunPlanner, task: Task, held: HeldLease, report: ReportEvent) -> bool:
    """Acquire the lease of a task; False where another holds it, or the task must not be done."""
    name = planner.lease_name(task)
    attempt, holder = planner.leases.acquire(name, task, held.owner)
    if not attempt:
        report("left", step=task.step, shard=task.shard, holder=holder)
        return False
    done = planner.is_done(task)
    if done or attempt > ATTEMPTS:
        planner.leases.release(name, held.owner)
        if not done:
            planner.fail(_given_up(planner, task))
        return False
    held.leases, held.name = planner.leases, name
    report("began", step=task.step, shard=task.shard, attempt=attempt, owner=held.owner)
    return True


def _settle(run_id: str, task: Task, owner: str, ended: Ended) -> None:
    """Record how a process ended, and end the run where another attempt is of no use.

    Raises: StoreUnavailable where that was its error; StepInterrupted; StepDied where another
    attempt is left.
    """
    if not ended.signal and not ended.kind:
        return
    if ended.kind == SHUT_DOWN:
        with open_run(run_id) as planner:
            planner.leases.reset_attempts(task)
            planner.leases.release(planner.lease_name(task), owner)
        log.info("event=left run=%s step=%s shard=%d", run_id, task.step, task.shard)
        raise StepInterrupted(task)
    how = ended_by(ended.signal) if ended.signal else ended.error
    peak = round(ended.peak_bytes / MEBIBYTE)
    log.error(
        "event=died run=%s step=%s shard=%d peak_mib=%d how=%s",
        *(run_id, task.step, task.shard, peak, how),
    )
    if ended.kind == StoreUnavailable.__name__:
        raise StoreUnavailable(ended.error)
    with open_run(run_id) as planner:
        death = {"how": how, "peak_mib": peak}
        planner.leases.record("deaths", f"{task.step}.{task.shard}", death)
        planner.leases.release(planner.lease_name(task), owner)
        if ended.kind in FATAL:
            planner.fail(ended.error)
        elif planner.leases.attempts(task) >= ATTEMPTS:
            planner.fail(_given_up(planner, task))
        else:
            raise StepDied(f"step {task.step}, shard {task.shard}: {how}")


def _given_up(planner: RunPlanner, task: Task) -> str:
    death = planner.leases.records("deaths").get(f"{task.step}.{task.shard}")
    how = f"{death['how']}, peak memory {death['peak_mib']} MiB" if death else "its worker was lost"
    return f"step {task.step}, shard {task.shard}: given up after {ATTEMPTS} attempts: {how}"


def _perform(planner: RunPlanner, task: Task) -> None:
    """Do one task. Raises: GateHeld, StoreUnavailable and whatever the step raises."""
    if task == run_planner.READ:
        _, planned = pipeline.laid_out(planner.job, planner.run)
        if absent(planned.goal):
            planner.leases.mark(run_planner.INCOMPLETE)
    elif task == run_planner.GATE:
        _gate(planner)
    elif task == run_planner.ACTIVATE:
        _activate(planner)
    elif task.step.startswith(run_planner.STAGE):
        _stage(planner, task)
    else:
        steps.named(planner.goal, task.step).perform([task.shard])


def _gate(planner: RunPlanner) -> None:
    store, settings = planner.store, planner.settings.frozen_as(planner.run.settings)
    judge = judge_of(settings.evaluation) if settings.gates.ndcg_drop_max else None
    run = pipeline.measured(planner.job, planner.run, judge)
    run = gated(store, run, settings.gates, planner.publisher.live())
    build = find_build(store, run.build)
    planner.publication.begin(
        read_ids(store, build),
        related_lists(store, build),
        records_of(store, build),
        lists_key=build.key,
        recipe_digest=run.recipe_digest,
    )
    planner.leases.mark("publishing")


def _stage(planner: RunPlanner, task: Task) -> None:
    build = find_build(planner.store, planner.run.build)
    placement = task.step.removeprefix(run_planner.STAGE)
    lists, rows = part_of_lists(planner.store, build, placement, task.shard)
    first = placement == placements(build)[0]
    records = records_of(planner.store, build) if first else None
    written = planner.publication.stage(read_ids(planner.store, build), lists, rows, records)
    planner.leases.record("staged", f"{task.step}.{task.shard}", {"keys": written})


def _activate(planner: RunPlanner) -> None:
    run = require_run(planner.store, planner.run.number)
    live = planner.publisher.live()
    if live is None or live.id != run.number:
        if run.state != "running":
            return
        build = find_build(planner.store, run.build)
        ids = read_ids(planner.store, build)
        lists = related_lists(planner.store, build)
        live = planner.publication.activate(ids, lists, records_of(planner.store, build))
        leave_live(planner.store, build, planner.publisher)
    costs = planner.leases.records("costs")
    run.save(
        planner.store,
        state="published",
        generation=dataclasses.asdict(live),
        stages=[costs[name] for name in sorted(costs)],
    )
