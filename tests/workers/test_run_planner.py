"""Which tasks of a run can be done now, and when a run goes no further."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from recommender.artifacts.runs import Run
from recommender.build.steps import Task
from recommender.errors import ArtifactError, ConfigError
from tests.workers.in_process import perform_alone, sent, write_served_shop
from workers.celery import configured, open_shop
from workers.run_planner import ACTIVATE, GATE, OPEN_GATES, READ, begin, open_run, publishes
from workers.step_executor import perform

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, store: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield write_served_shop(tmp_path, store, monkeypatch)
    configured.cache_clear()


def begun(*, force: bool = False) -> Run | None:
    with open_shop("acme") as (settings, publisher):
        return begin(settings, publisher, force=force)


def run_of(run_id: str) -> Run:
    with open_run(run_id) as planner:
        return planner.run


def new_run(*, force: bool = False) -> Run:
    run = begun(force=force)
    assert run is not None
    return run


def to_the_end(run: Run) -> list[Task]:
    """Perform a run task by task; returns the tasks in turn."""
    done: list[Task] = []
    while tasks := sent(run.id, again=True):
        perform_alone(run.id, tasks[0])
        assert len(done) < 50
        done.append(tasks[0])
    return done


def test_a_run_reads_first_and_publishes_last() -> None:
    done = to_the_end(new_run())
    assert done[0] == READ
    assert [task for task in done if publishes(task)] == done[-3:]
    assert (done[-3], done[-1]) == (GATE, ACTIVATE)
    assert done[-2] == Task("stage.related", 0)
    assert len(set(done)) == len(done)


def test_what_is_live_and_unchanged_begins_no_run() -> None:
    run = new_run()
    to_the_end(run)
    assert begun() is None
    assert new_run(force=True).number > run.number


@pytest.mark.fault(17)
@pytest.mark.parametrize("step", ["vectors", "lists", "read"])
def test_a_damaged_part_of_what_is_live_begins_a_run_that_makes_it_again(
    shop: Path, step: str
) -> None:
    to_the_end(new_run())
    with open_shop("acme") as (settings, _):
        root = Path(settings.artifact_store().root, "acme", step)
    harmed = max(root.glob("*/*.npy"), key=lambda path: path.stat().st_size)
    before = harmed.read_bytes()
    harmed.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    done = to_the_end(new_run())
    assert harmed.read_bytes() == before
    assert done[-1] == ACTIVATE
    assert begun() is None


def test_the_tasks_of_a_step_are_sent_once_unless_they_may_be_lost() -> None:
    run = new_run()
    assert sent(run.id) == [READ]
    assert sent(run.id) == []
    assert sent(run.id, again=True) == [READ]
    with open_run(run.id) as planner:
        planner.leases.acquire(planner.lease_name(READ), READ, "a worker")
    assert sent(run.id, again=True) == []


def test_a_task_is_done_when_its_artifact_is_there() -> None:
    run = new_run()
    with open_run(run.id) as planner:
        assert not planner.is_done(READ)
    perform(run.id, READ)
    with open_run(run.id) as planner:
        assert planner.is_done(READ)
        (first, *_) = planner.ready()
        assert not planner.is_done(first)


def test_a_later_run_supersedes_one_that_goes_on() -> None:
    old, new = new_run(), new_run()
    assert sent(old.id) == []
    with open_run(old.id) as planner:
        assert (planner.run.state, planner.run.error) == (
            "superseded",
            "a later run took its place",
        )
    assert sent(new.id) == [READ]


@pytest.mark.parametrize("end", ["supersede", "fail"])
def test_what_another_process_published_meanwhile_stays_published(end: str) -> None:
    run = new_run()
    with open_run(run.id) as planner:
        run.save(planner.store, state="published")
        getattr(planner, end)("a later run took its place")
    assert run_of(run.id).state == "published"


def test_an_interrupted_publication_goes_on_under_another_number(store: Redis) -> None:
    run = new_run()
    while GATE not in (tasks := sent(run.id, again=True)):
        perform(run.id, tasks[0])
    perform_alone(run.id, GATE)
    with open_run(run.id) as planner:
        store.delete(planner.publisher.keys.lease)
    sent(run.id, again=True)
    with open_run(run.id) as planner:
        assert planner.run.state == "superseded"
        follower = planner.store.highest_run()
    assert follower > run.number
    with open_run(f"acme.{follower}") as planner:
        assert planner.run.build == run_of(run.id).build
        assert planner.ready() == [GATE]


@pytest.mark.fault(51)
@pytest.mark.parametrize("was_live", [True, False])
def test_no_gate_holds_a_build_that_was_live(was_live: bool) -> None:
    with open_run(new_run().id) as planner:
        again = planner.continued("published", was_live=was_live)
    with open_run(again.id) as planner:
        gates = planner.settings.frozen_as(planner.run.settings).gates
        assert (gates == OPEN_GATES) == was_live


@pytest.mark.parametrize("run_id", ["acme", "ACME.1", "acme.1/x", "../acme.1", "acme.1\n", 7, None])
def test_what_is_no_run_id_is_refused(run_id: object) -> None:
    with pytest.raises(ConfigError, match=r"is not SHOP\.NUMBER"), open_run(run_id):
        pass


def test_a_run_that_there_is_not_is_named() -> None:
    with (
        pytest.raises(ArtifactError, match=r"there is no record of run acme\.99"),
        open_run("acme.99"),
    ):
        pass
