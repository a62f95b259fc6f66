"""The records of runs."""

import json
from pathlib import Path

import pytest

from recommender.artifacts.runs import Run, all_runs, find_run, require_run
from recommender.artifacts.store import ArtifactStore
from recommender.errors import ArtifactError


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts", "acme")


def run(number: int) -> Run:
    return Run("acme", number, "running", {"recipe": {"index": "auto"}}, {"as_of": 7})


def as_json(found: Run | None) -> object:
    return found and json.loads(json.dumps(found.plain()))


def test_a_run_comes_back_from_its_record(store: ArtifactStore) -> None:
    begun = run(3)
    begun.begin(store)
    assert begun.id == "acme.3"
    assert as_json(find_run(store, 3)) == as_json(begun)
    held = begun.save(store, state="held", held=["few items"], build="b" * 64)
    assert held.state == "held"
    assert as_json(require_run(store, 3)) == as_json(held)


def test_a_number_is_taken_once(store: ArtifactStore) -> None:
    run(3).begin(store)
    with pytest.raises(ArtifactError, match=r"run acme\.3 exists already; run again"):
        run(3).begin(store)


def test_runs_come_newest_first_by_number_and_not_by_text(store: ArtifactStore) -> None:
    for number in (9, 10, 2):
        run(number).begin(store)
    assert [found.number for found in all_runs(store)] == [10, 9, 2]


def test_records_of_another_format_are_no_runs(store: ArtifactStore) -> None:
    run(1).begin(store)
    store.record_run("acme.2", run(2).plain() | {"format": 1})
    assert find_run(store, 2) is None
    assert [found.number for found in all_runs(store)] == [1]
    with pytest.raises(ArtifactError, match=r"there is no record of run acme\.2"):
        require_run(store, 2)


def test_fields_that_a_later_version_adds_are_passed_over(store: ArtifactStore) -> None:
    store.record_run("acme.4", run(4).plain() | {"colour": "red"})
    assert as_json(find_run(store, 4)) == as_json(run(4))
