"""The tasks, without a broker."""

import inspect
import logging
import os

import pytest

from recommender.errors import ArtifactError, ConfigError, DataError, StoreUnavailable
from workers import processes, run_planner, tasks
from workers.celery import app, configured


def test_old_and_new_workers_understand_each_others_messages() -> None:
    signatures = {
        name: list(inspect.signature(task.run).parameters)
        for name, task in app.tasks.items()
        if name.startswith("workers.")
    }
    assert signatures == {
        "workers.reindex": ["shop"],
        "workers.advance": ["run_id"],
        "workers.perform": ["run_id", "step", "shard"],
        "workers.reconcile": ["shop"],
        "workers.evaluation": ["shop"],
        "workers.audit": ["shop"],
    }


@pytest.mark.parametrize(
    "shop",
    ["../../etc/passwd", "acme/../x", "acme\n", "ACME", "", "beta", 7, None, ["a"], "a" * 5000],
)
def test_odd_shops_start_no_process(
    shop: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_process() -> int:
        pytest.fail("a process was started")

    monkeypatch.setattr(os, "fork", no_process)
    with caplog.at_level(logging.WARNING), pytest.raises(ConfigError):
        tasks.reindex(shop)
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]
    assert len(caplog.messages[0]) < 200


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (StoreUnavailable("off"), 4),
        (ConfigError("config"), 1),
        (DataError("data"), 1),
        (ArtifactError("artifact"), 1),
    ],
)
def test_only_a_store_that_is_off_is_tried_again(
    error: Exception, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def failing(shop: str) -> str:
        given.append(shop)
        raise error

    monkeypatch.setattr(run_planner, "begin_forked", failing)
    result = tasks.reindex.apply(args=("acme",))
    assert result.state == "FAILURE"
    assert result.result is error
    assert given == ["acme"] * attempts


def test_an_evaluation_is_a_command_of_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given: list[tuple[str, ...]] = []

    def run_command(*arguments: str) -> str:
        given.append(arguments)
        return '{"ndcg": 0.2}'

    monkeypatch.setattr(processes, "run_command", run_command)
    with caplog.at_level(logging.INFO):
        tasks.evaluation("acme")
    assert given == [("evaluate", "--json", "--config", str(configured().file("acme")))]
    assert 'event=evaluated shop=acme table={"ndcg": 0.2}' in caplog.text


@pytest.mark.fault("S8")
@pytest.mark.parametrize("step", ["read", "../x", "", 7, None, ["read"]])
@pytest.mark.parametrize("shard", [-1, True, "0", None, 1.5, 10**30])
@pytest.mark.parametrize("run_id", ["acme.1", "../../etc/passwd", "acme.1/x", "acme.1\n", 7, None])
def test_odd_tasks_are_refused(run_id: object, step: object, shard: object) -> None:
    result = tasks.perform.apply(args=(run_id, step, shard), retries=3)
    assert isinstance(result.result, ConfigError | StoreUnavailable)
    if not isinstance(step, str) or shard != 10**30:
        assert "no task" in str(result.result)
