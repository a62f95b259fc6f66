"""Tasks under leases: who does which, and what happens after one that failed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from recommender import pipeline
from recommender.artifacts.runs import Run
from recommender.build.steps import Task
from recommender.core import failpoints
from recommender.errors import DataError, StoreUnavailable
from tests.serving.servers import until
from tests.support.fault_report import Recovery
from tests.support.repository import REPOSITORY
from tests.workers.fleet import environment
from tests.workers.in_process import perform_alone, sent, write_served_shop
from workers import step_executor
from workers.celery import configured, open_shop
from workers.run_planner import GATE, READ, RunPlanner, begin, open_run
from workers.shard_leases import ShardLeases
from workers.step_executor import ATTEMPTS, StepDied, StepInterrupted, perform

pytestmark = pytest.mark.server


@pytest.fixture
def shop(tmp_path: Path, store: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield write_served_shop(tmp_path, store, monkeypatch)
    configured.cache_clear()


@pytest.fixture
def run(shop: Path) -> Run:
    with open_shop("acme") as (settings, publisher):
        run = begin(settings, publisher)
    assert run is not None
    return run


def state(run: Run) -> tuple[str, str]:
    with open_run(run.id) as planner:
        return planner.run.state, planner.run.error


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def raising(*_: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "laid_out", raising)


def test_a_task_is_done_once_under_a_lease_that_ends_with_it(run: Run) -> None:
    assert perform(run.id, READ) == 0
    with open_run(run.id) as planner:
        assert planner.leases.holders([planner.lease_name(READ)]) == [""]
        assert set(planner.leases.records("costs")) == {"read.0"}
    assert perform(run.id, READ) == 0
    with open_run(run.id) as planner:
        assert set(planner.leases.records("costs")) == {"read.0"}


@pytest.mark.fault(2, 30)
def test_what_another_works_on_is_left_for_the_length_of_its_lease(run: Run) -> None:
    with open_run(run.id) as planner:
        planner.leases.acquire(planner.lease_name(READ), READ, "another")
        lease_s = planner.leases.lease_s
    assert perform(run.id, READ) == lease_s
    with open_run(run.id) as planner:
        assert not planner.is_done(READ)


@pytest.mark.fault(30)
def test_what_another_did_meanwhile_is_not_done_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform(run.id, READ)
    task = sent(run.id)[0]
    made: list[Task] = []
    acquire, work = ShardLeases.acquire, step_executor._perform

    def counted(planner: RunPlanner, of: Task) -> None:
        made.append(of)
        work(planner, of)

    def late(self: ShardLeases, name: str, of: Task, owner: str) -> tuple[int, str]:
        monkeypatch.setattr(ShardLeases, "acquire", acquire)
        perform_alone(run.id, task)
        return acquire(self, name, of, owner)

    monkeypatch.setattr(step_executor, "_perform", counted)
    monkeypatch.setattr(ShardLeases, "acquire", late)
    perform_alone(run.id, task)
    assert made == [task]


@pytest.mark.fault(2)
def test_a_killed_worker_leaves_its_task_to_another(shop: Path, recovery: Recovery) -> None:
    shop.write_text(shop.read_text().replace("[store]\n", "[store]\nlease_s = 3.0\n"))
    with open_shop("acme") as (settings, publisher):
        begun = begin(settings, publisher)
    assert begun is not None
    work = f"from workers import step_executor as e; e.perform({begun.id!r}, e.run_planner.READ)"
    killed = subprocess.Popen(
        [sys.executable, "-c", work],
        cwd=REPOSITORY,
        env=environment(shop) | {failpoints.VARIABLE: "artifact.before_manifest=hang@1"},
        start_new_session=True,
    )
    with open_run(begun.id) as planner:
        name = planner.lease_name(READ)
        until(lambda: planner.leases.holders([name]) != [""], 20)
        assert perform(begun.id, READ) == 3.0
        os.killpg(killed.pid, signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        with recovery():
            until(lambda: perform(begun.id, READ) == 0, 20)
    assert READ not in sent(begun.id, again=True)
    assert state(begun) == ("running", "")


def test_an_error_of_the_data_ends_the_run_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, DataError("line 7: no price"))
    perform(run.id, READ)
    assert state(run) == ("failed", "line 7: no price")
    assert sent(run.id, again=True) == []


@pytest.mark.fault(1, 4)
def test_any_other_error_is_tried_again_and_then_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, MemoryError("no room"))
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(StepDied, match="step read, shard 0: no room"):
            perform(run.id, READ)
        assert state(run) == ("running", "")
    perform(run.id, READ)
    why = f"step read, shard 0: given up after {ATTEMPTS} attempts: no room, peak memory 0 MiB"
    assert state(run) == ("failed", why)


def test_a_store_that_is_off_is_no_attempt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, StoreUnavailable("store redis://h: refused"))
    for _ in range(ATTEMPTS + 1):
        with pytest.raises(StoreUnavailable, match="redis://h"):
            perform(run.id, READ)
    assert state(run) == ("running", "")


@pytest.mark.fault(3)
def test_a_worker_that_shuts_down_takes_no_task(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_executor, "shutting_down", lambda: True)
    with pytest.raises(StepInterrupted, match="step read, shard 0: its worker shuts down") as left:
        perform(run.id, READ)
    assert left.value.task == READ


def test_a_publication_goes_on_to_its_end_in_one_process(run: Run) -> None:
    while GATE not in (tasks := sent(run.id, again=True)):
        perform(run.id, tasks[0])
    perform(run.id, GATE)
    assert state(run) == ("published", "")
    with open_run(run.id) as planner:
        live = planner.publisher.live()
        stages = {stage["stage"] for stage in planner.run.stages}
    assert live is not None
    assert live.id == run.number
    assert {"read.0", "gate.0", "stage.related.0"} <= stages
