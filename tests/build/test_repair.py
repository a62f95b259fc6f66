"""What is damaged of a plan is discarded and made again, and nothing else is."""

from pathlib import Path

import numpy as np
import pytest

from recommender.build import repair
from recommender.build.repair import absent, complete_all, discard_damaged, ready_again
from recommender.build.steps import Step, Task, complete, ready
from recommender.core.telemetry import Stopwatch
from recommender.errors import WrongSignature
from tests.build.test_steps import Line


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


@pytest.fixture
def steps(line: Line) -> tuple[Step, Step, Step]:
    """Read, middle and goal, which are done."""
    read = line.single("read")
    middle = line.single("middle", read)
    goal = line.single("goal", middle)
    complete(goal, Stopwatch())
    line.made.clear()
    return read, middle, goal


def file_of(line: Line, step: Step, name: str = "n.npy") -> Path:
    return Path(line.store.root, line.store.folder(step.folder, step.key), name)


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")


@pytest.mark.fault(17)
def test_a_flipped_bit_is_found_although_the_size_is_right(
    line: Line, steps: tuple[Step, Step, Step]
) -> None:
    read, middle, goal = steps
    flip(file_of(line, middle))
    assert goal.missing() == middle.missing() == ()
    (fault,) = discard_damaged(goal)
    assert "was changed or cut" in fault
    assert absent(goal) == [middle]
    assert ready(goal) == []
    assert ready_again(goal) == [Task("middle", 0)]
    complete_all(goal, Stopwatch())
    assert line.made == [Task("middle", 0)]
    assert discard_damaged(goal) == []
    assert absent(goal) == []
    assert read.missing() == ()


@pytest.mark.fault(18)
def test_a_cut_file_is_missing_at_once(line: Line, steps: tuple[Step, Step, Step]) -> None:
    read, _, goal = steps
    path = file_of(line, read)
    path.write_bytes(path.read_bytes()[:-3])
    assert read.missing() == (0,)
    read.perform([0])  # what is there and damaged is replaced
    assert read.missing() == ()
    assert discard_damaged(goal) == []


def test_beyond_the_limit_only_sizes_are_compared(
    line: Line, steps: tuple[Step, Step, Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, _, goal = steps
    monkeypatch.setattr(repair, "DIGESTED_BYTES", 2 * file_of(line, goal).stat().st_size)
    flip(file_of(line, read))
    assert discard_damaged(goal) == []  # the goal and the middle come first
    file_of(line, read).unlink()
    assert len(discard_damaged(goal)) == 1


@pytest.mark.fault("S10")
def test_a_wrong_signature_is_damage_only_where_the_key_holds(
    line: Line, steps: tuple[Step, Step, Step]
) -> None:
    _, middle, goal = steps
    manifest = file_of(line, middle, "manifest.json")
    manifest.write_text(manifest.read_text().replace('"of": "middle"', '"of": "forged"'))
    with pytest.raises(WrongSignature):
        discard_damaged(goal)
    assert manifest.exists()
    line.store.record_run("acme.1", {})
    assert len(discard_damaged(goal)) == 1
    assert not manifest.exists()


def test_text_plans_go_with_the_shards_that_they_rely_on(line: Line) -> None:
    key = "a" * 64
    line.store.write("text-plan", key, {"n": np.zeros(1)}, {})
    repair.discard_text_plans(line.store)
    assert line.store.find("text-plan", key) is None


def test_a_damaged_record_of_a_run_is_removed(line: Line) -> None:
    line.store.record_run("acme.1", {"format": 0})
    Path(line.store.root, "acme", "runs", "acme.1.json").write_text("{")
    assert not repair.is_recorded(line.store, 1)
    assert line.store.runs() == []
