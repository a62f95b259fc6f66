"""Tasks performed in the process of the test, instead of in a child."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from recommender.build.steps import Task
from tests.workers.fleet import CLOSED, write_tiny_shop
from workers import step_executor
from workers.celery import configured
from workers.processes import Ended, ReportEvent
from workers.run_planner import advance


class InProcess:
    """Replaces `ForkedProcess`: the work is done at once, and its error is how it ended."""

    def __init__(self, work: Callable[[ReportEvent], None], *_: object) -> None:
        self._work = work

    def events(self) -> Iterator[Mapping[str, Any] | Ended]:
        reported: list[Mapping[str, Any]] = []
        ended = Ended(0, "", "", 0)
        try:
            self._work(lambda event, **fields: reported.append({"event": event, **fields}))
        except Exception as error:
            ended = Ended(0, type(error).__name__, str(error), 0)
        yield from reported
        yield ended


def write_served_shop(folder: Path, store: Redis, patch: pytest.MonkeyPatch) -> Path:
    """The tiny shop on an empty server, as the shop that this process is configured for."""
    store.flushall()
    url = f"redis://127.0.0.1:{store.connection_pool.connection_kwargs['port']}/0"
    path = write_tiny_shop(folder, "acme", store=url, broker=CLOSED)
    patch.setenv("RECOMMENDER_CONFIG", str(path))
    patch.setattr(step_executor, "ForkedProcess", InProcess)
    configured.cache_clear()
    return path


def sent(run_id: str, *, again: bool = False) -> list[Task]:
    """The tasks that are sent when a run is advanced."""
    tasks: list[Task] = []
    advance(run_id, lambda _run, task, _work: tasks.append(task), again=again)
    return tasks


def perform_alone(run_id: str, task: Task) -> None:
    """Perform one task and none of those that can be done along with it."""
    with pytest.MonkeyPatch.context() as patch:
        asked = chain([False], repeat(True))
        patch.setattr(step_executor, "shutting_down", lambda: next(asked))
        step_executor.perform(run_id, task)
