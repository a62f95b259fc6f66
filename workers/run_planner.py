"""Plans a run: which tasks can be done now, from the artifacts and from what is live.

After the steps of the pipeline's plan come three that publish: `gate`, which checks the build and
begins the publication; `stage.PLACEMENT`, in shards; `activate`.
"""

import dataclasses
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from recommender import pipeline
from recommender.artifacts.runs import Run, State, find_run, require_run
from recommender.artifacts.store import ArtifactStore
from recommender.build import steps
from recommender.build.contents import BUILD, find_build, placements
from recommender.build.folded_changes import with_changes
from recommender.build.gates import Gates, golden_pairs
from recommender.build.job import Job, pinned, resumed
from recommender.build.repair import ready_again
from recommender.build.steps import Step, Task, Work
from recommender.errors import ConfigError, DataError, RecommenderError
from recommender.publishing.publication import Publication
from recommender.publishing.publisher import Publisher
from recommender.settings.model import Settings
from workers.celery import open_shop
from workers.processes import ForkedProcess, ReportEvent
from workers.shard_leases import ShardLeases

READ = Task("read", 0)
GATE = Task("gate", 0)
ACTIVATE = Task("activate", 0)
STAGE = "stage."
INCOMPLETE = "incomplete"
"""Marks a run that also makes what only explains its build, as far as that is missing."""
OPEN_GATES = Gates(
    items_share_min=0,
    events_share_min=0,
    entries_share_min=0,
    coverage_share_min=0,
    filled_share_min=0,
    overlap_min=0,
)
_RUN_ID = re.compile(r"([a-z0-9_-]{1,40})\.([0-9]{1,18})")

SendTask = Callable[[str, Task, Work], None]
"""Sends a task of a run to the queue of its kind of work."""

log = logging.getLogger(__name__)


class PublicationLost(RecommenderError):
    """The lease of a publication is gone, so its number must not be used again."""


@dataclass(frozen=True)
class RunPlanner:
    """A run, and what planning and performing its tasks takes; `settings` are this machine's."""

    settings: Settings
    job: Job
    run: Run
    publisher: Publisher

    @cached_property
    def goal(self) -> Step:
        """The last step of the pipeline's plan, as planned when it was first needed."""
        return pipeline.plan(self.job).goal

    @property
    def store(self) -> ArtifactStore:
        """The artifacts."""
        return self.job.artifacts

    @property
    def leases(self) -> ShardLeases:
        """The leases and records of the run."""
        return ShardLeases(self.publisher, self.run.number)

    @property
    def publication(self) -> Publication:
        """The publication of the run's lists."""
        return Publication(self.publisher, self.run.number)

    def ready(self) -> list[Task]:
        """The tasks that can be done now.

        Raises: PublicationLost; ConfigError where this machine plans another build.
        """
        if not self.run.artifacts:
            return [READ]
        goal = self.goal
        if goal.name == BUILD[0] and goal.key != self.run.build:
            raise ConfigError(
                f"run {self.run.id}: this machine plans another build than the one it was begun "
                "with; use the same state.user_key, software and model on every machine"
            )
        return steps.ready(goal) or self._publishing()

    def is_done(self, task: Task) -> bool:
        """Whether a task is done. Raises: ArtifactError for a step that does not exist."""
        if publishes(task) or not self.run.artifacts:
            return task not in self.ready()
        step = steps.named(self.goal, task.step)
        keys = step.keys()
        if keys is None or task.shard >= len(keys):
            return keys is not None
        return self.store.is_done(step.folder, keys[task.shard])

    def work_of(self, task: Task) -> Work:
        """The kind of worker that a task is for."""
        if publishes(task) or task == READ:
            return "cpu"
        return steps.named(self.goal, task.step).work

    def lease_name(self, task: Task) -> str:
        """The lease that a task needs: the same for runs that share an artifact."""
        if not publishes(task):
            step = steps.named(self.goal, task.step)
            keys = step.keys()
            if keys is not None and task.shard < len(keys):
                return f"{step.folder}:{keys[task.shard]}"
        return f"{self.run.number}:{task.step}:{task.shard}"

    def superseded(self) -> bool:
        """Whether a later run or a rollback has taken the place of this run."""
        if live_fence(self.publisher) > self.run.number:
            return True
        later = (number for number in self.store.runs() if number > self.run.number)
        runs = (find_run(self.store, number) for number in later)
        return any(run is not None and run.state in {"running", "published"} for run in runs)

    def continued(self, state: str = "running", *, was_live: bool = False) -> Run:
        """Begin a run that continues this one under a new number, with the artifacts of this one.

        With `state`, that of this run, "running" this run becomes superseded. No gate holds what
        `was_live`: it passed, or a person let it pass.
        """
        number = self.publisher.reserve(self.store.highest_run())
        run = dataclasses.replace(
            self.run, number=number, state="running", held=(), error="", generation={}, stages=()
        )
        if was_live:
            gates = dataclasses.asdict(OPEN_GATES)
            run = dataclasses.replace(run, settings={**run.settings, "gates": gates})
        run.begin(self.store)
        ShardLeases(self.publisher, number).begin()
        if state == "running":
            self.supersede(f"its publication was interrupted; {run.id} goes on")
        return run

    def supersede(self, why: str) -> None:
        """End the run as superseded, where it still runs."""
        self._end("superseded", why)
        log.info("event=superseded run=%s because=%s", self.run.id, why)

    def fail(self, why: str) -> None:
        """End the run as failed, where it still runs."""
        self._end("failed", why)
        log.error("event=failed run=%s error=%s", self.run.id, why)

    def _end(self, state: State, why: str) -> None:
        """Write the record anew, unless another process ended the run since it was read."""
        run = require_run(self.store, self.run.number)
        if run.state == "running":
            run.save(self.store, state=state, error=why)

    def unsent(self, tasks: list[Task], *, again: bool) -> list[Task]:
        """The tasks of steps that were not sent yet; with `again`, those that nobody works on."""
        if again:
            holders = self.leases.holders([self.lease_name(task) for task in tasks])
            return [task for task, holder in zip(tasks, holders, strict=True) if not holder]
        names = sorted({task.step for task in tasks})
        new = {step for step in names if self.leases.mark(f"sent:{step}")}
        return [task for task in tasks if task.step in new]

    def _publishing(self) -> list[Task]:
        """The tasks left of publishing. Read in this order: the swap comes before the release."""
        publisher, number = self.publisher, self.run.number
        with publisher.errors("reading"):
            holder = publisher.store.get(publisher.keys.lease)
            begun = publisher.store.exists(publisher.keys.generation(number))
        live = publisher.live()
        if live is not None and live.id == number:
            return [ACTIVATE]
        if not begun and not self.leases.marked("publishing"):
            again = self.leases.marked(INCOMPLETE) and ready_again(self.goal)
            return again or [GATE]
        if not begun or holder != self.publication.owner.encode():
            raise PublicationLost(f"run {self.run.id}: its publication was interrupted")
        build, staged = find_build(self.store, self.run.build), self.leases.records("staged")
        shards = {name: len(build.summary["lists"][name]) for name in placements(build)}
        tasks = [Task(f"{STAGE}{name}", shard) for name, n in shards.items() for shard in range(n)]
        return [task for task in tasks if f"{task.step}.{task.shard}" not in staged] or [ACTIVATE]


def publishes(task: Task) -> bool:
    """Whether a task is one of those after the pipeline's plan."""
    return task in {GATE, ACTIVATE} or task.step.startswith(STAGE)


@contextmanager
def open_run(run_id: object) -> Iterator[RunPlanner]:
    """The planner of a run that a message names.

    Raises: ConfigError where it is no id; ArtifactError where there is no such run.
    """
    match = _RUN_ID.fullmatch(run_id) if isinstance(run_id, str) else None
    if match is None:
        raise ConfigError(f"run {run_id!r:.60} is not SHOP.NUMBER")
    with open_shop(match[1]) as (settings, publisher):
        run = require_run(settings.artifact_store(), int(match[2]))
        job = resumed(settings.frozen_as(run.settings).job(), run)
        yield RunPlanner(settings, job, run, publisher)


def advance(run_id: str, send: SendTask, *, again: bool = False) -> None:
    """Send the tasks of a run that can be done now; `again` where they may be sent and lost."""
    with open_run(run_id) as planner:
        if planner.run.state != "running":
            return
        if planner.superseded():
            planner.supersede("a later run took its place")
            return
        try:
            tasks = planner.ready()
        except PublicationLost:
            run = planner.continued()
            log.warning("event=continued run=%s as=%s", run_id, run.id)
            advance(run.id, send)
            return
        except (ConfigError, DataError) as error:
            planner.fail(str(error))
            return
        for task in planner.unsent(tasks, again=again):
            log.info("event=sent run=%s step=%s shard=%d", run_id, task.step, task.shard)
            send(run_id, task, planner.work_of(task))


def begin(settings: Settings, publisher: Publisher, *, force: bool = False) -> Run | None:
    """Begin a run; None where inputs and recipe are those of the live generation.

    With `force` that does not matter, and no gate holds the build. Raises: ConfigError, DataError,
    StoreUnavailable.
    """
    if force:
        settings = settings.model_copy(update={"gates": OPEN_GATES})
    golden_pairs(settings.gates.golden)
    job = with_changes(pinned(settings.job()), publisher)
    planned, live = pipeline.plan(job), publisher.live()
    if not force and pipeline.is_live(planned, live):
        return None
    run = pipeline.begin(job, publisher)
    ShardLeases(publisher, run.number).begin()
    return run


def begin_forked(shop: str) -> str:
    """Begin a run of a shop that a message names, in a child process; returns its id or ""."""

    def work(report: ReportEvent) -> None:
        with open_shop(shop) as (settings, publisher):
            run = begin(settings, publisher)
            report("begun", run=run.id if run else "")

    with open_shop(shop):  # raises for a shop that there is not, before anything is forked
        pass
    (begun,) = ForkedProcess(work).run()
    return str(begun["run"])


def live_fence(publisher: Publisher) -> int:
    """The fence of the live pointer, 0 where nothing is live. Raises: StoreUnavailable."""
    with publisher.errors("reading"):
        try:
            return publisher.stored.seen().fence
        except DataError:  # nothing is live
            return 0
