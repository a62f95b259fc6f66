"""Steps: what is done, ready and named, from the artifacts alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.store import ArtifactStore, artifact_key
from recommender.build.steps import Events, Made, Step, Task, complete, named, ready, steps_of
from recommender.core.telemetry import Stopwatch
from recommender.errors import ArtifactError


class Line:
    """A line of steps; `made` holds the tasks that were performed, in their order."""

    def __init__(self, folder: Path) -> None:
        self.store = ArtifactStore(folder, "acme")
        self.made: list[Task] = []

    def single(self, name: str, *needs: Step) -> Step:
        """A step with one artifact."""

        def make() -> Made:
            self.made.append(Task(name, 0))
            return {"n": np.array([len(self.made)])}, {"of": name}

        place = (self.store, "test", artifact_key(name, 1, {}, {}))
        return Step.single(place, (name, f"do {name}"), needs, make)

    def sharded(self, name: str, count: int, decided_by: Step) -> Step:
        """A step of so many shards, which are decided once another step is done."""
        keys = tuple(artifact_key(name, 1, {"shard": shard}, {}) for shard in range(count))

        def make(shards: Sequence[int]) -> Iterator[tuple[int, Made]]:
            for shard in shards:
                self.made.append(Task(name, shard))
                yield shard, ({"n": np.array([shard])}, {})

        return Step(
            self.store,
            name,
            f"do {name}",
            "test",
            (decided_by,),
            lambda: None if decided_by.missing() else keys,
            make,
        )

    def discard(self, step: Step, shard: int = 0) -> None:
        """Take an artifact away."""
        self.store.discard(step.folder, (step.keys() or ())[shard])


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_what_is_there_is_not_made_again(line: Line) -> None:
    read = line.single("read")
    goal = line.single("goal", read)
    complete(goal, Stopwatch())
    assert line.made == [Task("read", 0), Task("goal", 0)]
    again = Stopwatch()
    complete(goal, again)
    assert len(line.made) == 2
    assert [(cost.stage, cost.reused) for cost in again.costs] == [("do goal", True)]


def test_a_goal_that_is_there_needs_none_of_its_inputs(line: Line) -> None:
    read = line.single("read")
    goal = line.single("goal", read)
    complete(goal, Stopwatch())
    line.discard(read)
    assert ready(goal) == []
    complete(goal, Stopwatch())
    assert len(line.made) == 2


def test_an_input_of_two_steps_is_made_once(line: Line) -> None:
    read = line.single("read")
    goal = line.single("goal", line.single("left", read), line.single("right", read))
    assert ready(goal) == [Task("read", 0)]
    stopwatch = Stopwatch()
    complete(goal, stopwatch)
    assert [task.step for task in line.made] == ["read", "left", "right", "goal"]
    assert [cost.stage for cost in stopwatch.costs] == ["do read", "do left", "do right", "do goal"]
    assert [step.name for step in steps_of(goal)] == ["read", "left", "right", "goal"]


def test_shards_are_ready_once_they_are_decided(line: Line) -> None:
    plan = line.single("plan")
    shards = line.sharded("encode", 3, plan)
    goal = line.single("goal", shards)
    assert shards.missing() is None
    with pytest.raises(ArtifactError, match="step encode: what it depends on is not there"):
        shards.parts()
    assert ready(goal) == [Task("plan", 0)]
    plan.perform([0])
    assert ready(goal) == [Task("encode", shard) for shard in range(3)]
    shards.perform([1])
    assert shards.missing() == (0, 2)
    assert ready(goal) == [Task("encode", 0), Task("encode", 2)]
    complete(goal, Stopwatch())
    assert line.made.count(Task("encode", 1)) == 1
    assert [int(part.columns()["n"][0]) for part in shards.parts()] == [0, 1, 2]


def test_tasks_of_branches_that_are_independent_are_ready_together(line: Line) -> None:
    goal = line.single("goal", line.single("left"), line.single("right"))
    assert ready(goal) == [Task("left", 0), Task("right", 0)]
    named(goal, "left").perform([0])
    assert ready(goal) == [Task("right", 0)]


def test_the_artifact_that_is_written_first_stays(line: Line) -> None:
    step = line.single("read")
    step.perform([0])
    step.perform([0])
    assert len(line.made) == 2
    assert step.artifact().columns()["n"].tolist() == [1]
    assert step.artifact().summary == {"of": "read"}


def test_a_step_is_found_by_its_name(line: Line) -> None:
    read = line.single("read")
    goal = line.single("goal", read)
    assert named(goal, "read") is read
    assert named(goal, "goal") is goal
    with pytest.raises(ArtifactError, match="there is no step 'other' on the way to goal"):
        named(goal, "other")


def test_a_plan_that_goes_away_while_it_is_used_is_noticed(line: Line) -> None:
    plan = line.single("plan")

    def take(_: Sequence[int]) -> Iterator[tuple[int, Made]]:
        line.discard(plan)
        yield 0, ({}, {})

    thief = Step(line.store, "thief", "take", "test", (plan,), lambda: ("a" * 64,), take)
    goal = line.sharded("goal", 1, plan)
    goal = replace(goal, needs=(plan, thief))
    with pytest.raises(ArtifactError, match="step goal: what it depends on went away; run again"):
        complete(goal, Stopwatch())


def test_events_are_in_a_key_only_as_far_as_they_are_not_all(line: Line) -> None:
    read = line.single("read")
    assert Events(read, (), 0).plain() == {}
    assert Events(read, ("view",), 0).plain() == {"kinds": ["view"]}
    assert Events(read, ("view",), 3).plain() == {"kinds": ["view"], "user_baskets": 3}
