"""The course of a run: what can be done next, told from the artifacts and from what is live.

Behind the steps of the plan come those of going live: `gate`, which lets the build pass and begins
the publication; `stage.PLACEMENT`, a shard at a time; `activate`.
"""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from recommender import pipeline
from recommender.artifacts.runs import Run, find_run, require_run
from recommender.artifacts.store import ArtifactStore
from recommender.build import steps
from recommender.build.contents import (
    BUILD,
    find_build,
    part_of_lists,
    placements,
    read_ids,
    related_lists,
)
from recommender.build.gates import gated
from recommender.build.job import Job, resumed
from recommender.build.steps import Step, Task, Work
from recommender.cli.reindex import judge_of
from recommender.errors import ConfigError, DataError, RecommenderError
from recommender.publishing.publication import Publication
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.settings.loading import load
from recommender.settings.model import Settings
from workers.claims import Claims
from workers.shops import configured

READ = Task("read", 0)
GATE = Task("gate", 0)
ACTIVATE = Task("activate", 0)
STAGE = "stage."
_RUN_ID = re.compile(r"([a-z0-9_-]{1,40})\.([0-9]{1,18})")


class PublicationLost(RecommenderError):
    """The lease of a publication is gone, so its number must not be used again."""


@dataclass(frozen=True)
class Course:
    """A run with all that working on it needs; `settings` are those of this machine."""

    settings: Settings
    job: Job
    run: Run
    publisher: Publisher

    @cached_property
    def goal(self) -> Step:
        """The plan of the run, as it was when this was first asked for."""
        return pipeline.plan(self.job).goal

    @property
    def store(self) -> ArtifactStore:
        """Where the artifacts lie."""
        return self.job.artifacts

    @property
    def claims(self) -> Claims:
        """Who works on what."""
        return Claims(self.publisher, self.run.number)

    @property
    def publication(self) -> Publication:
        """How the run goes live."""
        return Publication(self.publisher, self.run.number)


@contextmanager
def shop_at_work(shop: object) -> Iterator[tuple[Settings, Publisher]]:
    """Settings and publisher of a shop that a message names.

    Raises: ConfigError; StoreUnavailable.
    """
    settings = load(configured().file(shop))
    with open_store(settings.store.url) as store:
        yield settings, Publisher(store, settings.shop, lease_s=settings.store.lease_s)


@contextmanager
def course_of(run_id: object) -> Iterator[Course]:
    """The course of a run that a message names.

    Raises: ConfigError for what is no id; ArtifactError where there is no such run.
    """
    match = _RUN_ID.fullmatch(run_id) if isinstance(run_id, str) else None
    if match is None:
        raise ConfigError(f"run {run_id!r:.60} is not SHOP.NUMBER")
    with shop_at_work(match[1]) as (settings, publisher):
        run = require_run(settings.artifact_store(), int(match[2]))
        job = resumed(settings.frozen_as(run.settings).job(), run)
        yield Course(settings, job, run, publisher)


def ready(course: Course) -> list[Task]:
    """What can be done now. Raises: PublicationLost; ConfigError where the plan here is another."""
    if not course.run.artifacts:
        return [READ]
    goal = course.goal
    if goal.name == BUILD[0] and goal.key != course.run.build:
        raise ConfigError(
            f"run {course.run.id}: this machine plans another build than the one it was begun "
            "with; use the same state.user_key, software and model on every machine"
        )
    return steps.ready(goal) or _going_live(course)


def goes_live(task: Task) -> bool:
    """Whether a task stands behind those of the plan."""
    return task in {GATE, ACTIVATE} or task.step.startswith(STAGE)


def exists(course: Course, task: Task) -> bool:
    """Whether a task is done already. Raises: ArtifactError for one that there is not."""
    if goes_live(task) or not course.run.artifacts:
        return task not in ready(course)
    step = steps.named(course.goal, task.step)
    keys = step.keys()
    if keys is None or task.shard >= len(keys):
        return keys is not None
    return course.store.find(step.folder, keys[task.shard]) is not None


def work_of(course: Course, task: Task) -> Work:
    """Which kind of worker a task is for."""
    if not goes_live(task) and task != READ:
        return steps.named(course.goal, task.step).work
    return "cpu"


def claim_of(course: Course, task: Task) -> str:
    """What whoever performs a task has to hold: the same for runs that share an artifact."""
    if not goes_live(task):
        step = steps.named(course.goal, task.step)
        keys = step.keys()
        if keys is not None and task.shard < len(keys):
            return f"{step.folder}:{keys[task.shard]}"
    return f"{course.run.number}:{task.step}:{task.shard}"


def perform(course: Course, task: Task) -> None:
    """Do one task. Raises: GateHeld, StoreUnavailable and all that steps raise."""
    if task == READ:
        pipeline.laid_out(course.job, course.run)
    elif task == GATE:
        _gate(course)
    elif task == ACTIVATE:
        _activate(course)
    elif task.step.startswith(STAGE):
        _stage(course, task)
    else:
        steps.named(course.goal, task.step).perform([task.shard])


def superseded(course: Course) -> bool:
    """Whether a later run, or a rollback since, has taken the place of this one."""
    if _live_fence(course.publisher) > course.run.number:
        return True
    later = (number for number in course.store.runs() if number > course.run.number)
    runs = (find_run(course.store, number) for number in later)
    return any(run is not None and run.state in {"running", "published"} for run in runs)


def successor(course: Course, state: str = "running") -> Run:
    """A new run that goes on with what a run has made, under a number of its own."""
    number = course.publisher.reserve(course.store.highest_run())
    run = dataclasses.replace(
        course.run, number=number, state="running", held=(), error="", generation={}, stages=()
    )
    run.begin(course.store)
    Claims(course.publisher, number).begin()
    if state == "running":
        told = f"its publication was interrupted; {run.id} goes on"
        course.run.save(course.store, state="superseded", error=told)
    return run


def _going_live(course: Course) -> list[Task]:
    """What is left of going live. The order of reading matters: a swap comes before a release."""
    publisher, number = course.publisher, course.run.number
    with publisher.errors("reading"):
        holder = publisher.store.get(publisher.keys.lease)
        begun = publisher.store.exists(publisher.keys.generation(number))
    live = publisher.live()
    if live is not None and live.id == number:
        return [ACTIVATE]
    if not begun and not course.claims.marked("publishing"):
        return [GATE]
    if not begun or holder != course.publication.owner.encode():
        raise PublicationLost(f"run {course.run.id}: its publication was interrupted")
    staged = course.claims.notes("staged")
    left = [task for task in _stages(course) if f"{task.step}.{task.shard}" not in staged]
    return left or [ACTIVATE]


def _stages(course: Course) -> list[Task]:
    build = find_build(course.store, course.run.build)
    shards = {name: len(build.summary["lists"][name]) for name in placements(build)}
    return [Task(f"{STAGE}{name}", shard) for name in shards for shard in range(shards[name])]


def _gate(course: Course) -> None:
    job, settings = course.job, course.settings.frozen_as(course.run.settings)
    judge = judge_of(settings.evaluation) if settings.gates.ndcg_drop_max else None
    run = pipeline.measured(job, course.run, judge)
    run = gated(course.store, run, settings.gates, course.publisher.live())
    build = find_build(course.store, run.build)
    course.publication.begin(
        read_ids(course.store, build),
        related_lists(course.store, build),
        lists_key=build.key,
        recipe_digest=run.recipe_digest,
    )
    course.claims.mark("publishing")


def _stage(course: Course, task: Task) -> None:
    build = find_build(course.store, course.run.build)
    placement = task.step.removeprefix(STAGE)
    lists, rows = part_of_lists(course.store, build, placement, task.shard)
    written = course.publication.stage(read_ids(course.store, build), lists, rows)
    course.claims.note("staged", f"{task.step}.{task.shard}", {"keys": written})


def _activate(course: Course) -> None:
    run = require_run(course.store, course.run.number)
    live = course.publisher.live()
    if live is None or live.id != run.number:
        if run.state != "running":
            return
        build = find_build(course.store, run.build)
        lists = related_lists(course.store, build)
        live = course.publication.activate(read_ids(course.store, build), lists)
    costs = course.claims.notes("costs")
    run.save(
        course.store,
        state="published",
        generation=dataclasses.asdict(live),
        stages=[costs[name] for name in sorted(costs)],
    )


def _live_fence(publisher: Publisher) -> int:
    with publisher.errors("reading"):
        try:
            return publisher.seen().fence
        except DataError:  # nothing is live
            return 0
