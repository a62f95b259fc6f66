"""Steps: the stages of a run as a graph, for one process and for a fleet alike.

A step has one artifact per shard, under keys that are known before its inputs exist, or as soon as
the step that decides them is done. It is done when all its artifacts exist, and ready when all that
it needs is done. There is no other state: the artifacts alone show what is left to do.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Any, Literal

from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.core.arrays import Columns
from recommender.core.telemetry import Stopwatch
from recommender.errors import ArtifactError

Made = tuple[Columns, Map[str, Any]]
Work = Literal["encode", "cpu"]


@dataclass(frozen=True, slots=True)
class Task:
    """One shard of one step, by name and number."""

    step: str
    shard: int


@dataclass(frozen=True, slots=True)
class Step:
    """One stage: `make` yields (shard, artifact) for the shards asked for, and loads inputs once.

    `name` is its name in a plan, `label` is shown to people; `keys` returns one key per shard, or
    None while the shards are not decided; `work` is the kind of worker that it is for.
    """

    artifacts: ArtifactStore
    name: str
    label: str
    folder: str
    needs: tuple["Step", ...]
    keys: Callable[[], tuple[str, ...] | None]
    make: Callable[[Sequence[int]], Iterator[tuple[int, Made]]]
    work: Work = "cpu"

    @classmethod
    def single(
        cls,
        place: tuple[ArtifactStore, str, str],
        names: tuple[str, str],
        needs: tuple["Step", ...],
        make: Callable[[], Made],
    ) -> "Step":
        """A step with one artifact: `place` is store, folder and key, `names` name and label."""
        (artifacts, folder, key), (name, label) = place, names

        def shards(_: Sequence[int]) -> Iterator[tuple[int, Made]]:
            yield 0, make()

        return cls(artifacts, name, label, folder, needs, lambda: (key,), shards)

    def missing(self) -> tuple[int, ...] | None:
        """The shards without an artifact, None while it is not decided how many there are."""
        keys = self.keys()
        if keys is None:
            return None
        found = (self.artifacts.find(self.folder, key) for key in keys)
        return tuple(shard for shard, artifact in enumerate(found) if artifact is None)

    def parts(self) -> list[Artifact]:
        """The artifacts of all shards. Raises: ArtifactError where one is missing."""
        keys = self.keys()
        if keys is None:
            raise ArtifactError(f"step {self.name}: what it depends on is not there; run again")
        return [self.artifacts.require(self.folder, key) for key in keys]

    def artifact(self) -> Artifact:
        """The artifact of a step that has a single one. Raises: ArtifactError."""
        (artifact,) = self.parts()
        return artifact

    @property
    def key(self) -> str:
        """The key of a step that has a single artifact."""
        (key,) = self.keys() or ()
        return key

    def perform(self, shards: Sequence[int]) -> None:
        """Make some shards; those that are there already stay as they are."""
        keys = self.keys() or ()
        for shard, (columns, summary) in self.make(shards):
            self.artifacts.write(self.folder, keys[shard], columns, summary)


def complete(goal: Step, stopwatch: Stopwatch) -> None:
    """Make whatever the goal still needs, in this process, inputs first."""
    _complete(goal, stopwatch, set())


def _complete(step: Step, stopwatch: Stopwatch, seen: set[str]) -> None:
    if step.name in seen:
        return
    seen.add(step.name)
    if step.missing() == ():
        stopwatch.reused(step.label)
        return
    for need in step.needs:
        _complete(need, stopwatch, seen)
    missing = step.missing()
    if missing is None:
        raise ArtifactError(f"step {step.name}: what it depends on went away; run again")
    if missing:
        with stopwatch.measure(step.label):
            step.perform(missing)


def ready(goal: Step) -> list[Task]:
    """What can be made now on the way to the goal; nothing once that is done."""
    return list(dict.fromkeys(_ready(goal, {})))


def _ready(step: Step, known: dict[str, list[Task]]) -> list[Task]:
    if step.name in known:
        return known[step.name]
    missing = step.missing()
    tasks: list[Task] = []
    if missing != ():
        tasks = [task for need in step.needs for task in _ready(need, known)]
        if not tasks:
            tasks = [Task(step.name, shard) for shard in missing or ()]
    known[step.name] = tasks
    return tasks


def steps_of(goal: Step) -> list[Step]:
    """The goal and all that it is made of, each once, inputs first."""
    found: dict[str, Step] = {}

    def visit(step: Step) -> None:
        for need in step.needs:
            if need.name not in found:
                visit(need)
        found[step.name] = step

    visit(goal)
    return list(found.values())


def named(goal: Step, name: str) -> Step:
    """The step of that name. Raises: ArtifactError where the plan has none."""
    for step in steps_of(goal):
        if step.name == name:
            return step
    raise ArtifactError(f"there is no step {name!r:.60} on the way to {goal.name}")
