"""A forked process: how it ends, what it reports, and what ends it."""

import os
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from tests.serving.servers import until
from workers import processes
from workers.processes import (
    ONE_THREAD,
    SHUT_DOWN,
    Ended,
    ForkedProcess,
    ReportEvent,
    request_shutdown,
)

MEBIBYTE = 1024 * 1024


def ended(work: Callable[[ReportEvent], None], **changed: object) -> tuple[list[object], Ended]:
    options = {"keep_alive": lambda: True, "every_s": 0.05} | changed
    *events, last = ForkedProcess(work, **options).events()  # type: ignore[arg-type]
    assert isinstance(last, Ended)
    return list(events), last


def test_work_that_is_done_and_reported() -> None:
    events, end = ended(lambda report: report("made", shard=3))
    assert events == [{"event": "made", "shard": 3}]
    assert (end.signal, end.kind) == (0, "")


def test_an_error_is_reported_in_one_line() -> None:
    def work(_: ReportEvent) -> None:
        raise ConfigError("a\nb")

    end = ended(work)[1]
    assert (end.kind, end.error) == ("ConfigError", "a b")


def test_a_bug_is_reported_too() -> None:
    def work(_: ReportEvent) -> None:
        raise ZeroDivisionError

    end = ended(work)[1]
    assert (end.kind, end.error) == ("ZeroDivisionError", "ZeroDivisionError")


def test_the_limit_that_cannot_be_set_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert ended(lambda _: None)[1].kind == "ModuleNotFoundError"


def test_a_run_to_the_end_returns_events_or_raises() -> None:
    def fail(_: ReportEvent) -> None:
        raise StoreUnavailable("off")

    assert ForkedProcess(lambda report: report("made", n=1)).run() == [{"event": "made", "n": 1}]
    with pytest.raises(StoreUnavailable, match="off"):
        ForkedProcess(fail).run()
    with pytest.raises(RecommenderError, match="ended by SIGKILL"):
        ForkedProcess(lambda _: os.kill(os.getpid(), signal.SIGKILL)).run()


def test_a_signal_and_the_peak_of_memory() -> None:
    def work(_: ReportEvent) -> None:
        block = bytearray(200 * MEBIBYTE)
        block[::1024] = b"x" * len(block[::1024])
        os.kill(os.getpid(), signal.SIGKILL)

    end = ended(work)[1]
    assert end.signal == signal.SIGKILL
    assert 200 * MEBIBYTE < end.peak_bytes < 2000 * MEBIBYTE


def test_the_ceiling_of_memory() -> None:
    def work(report: ReportEvent) -> None:
        report("made", size=len(bytearray(600 * MEBIBYTE)))

    assert ended(work, memory_mb=500)[1].kind == "MemoryError"
    assert ended(work)[0] == [{"event": "made", "size": 600 * MEBIBYTE}]


def test_a_lease_that_is_lost_ends_the_process() -> None:
    end = ended(lambda _: time.sleep(30), keep_alive=lambda: False)[1]
    assert end.signal == signal.SIGKILL


@pytest.fixture
def shutdown_requested(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("workers.processes.GRACE_S", 0.3)
    request_shutdown()
    yield
    processes._shutdown[0] = 0


@pytest.mark.usefixtures("shutdown_requested")
def test_it_ends_with_a_worker_that_shuts_down_done_or_not() -> None:
    end = ended(lambda _: time.sleep(30), every_s=30)[1]
    assert (end.signal, end.kind) == (0, SHUT_DOWN)
    events, done = ended(lambda report: report("made", shard=3))
    assert events == [{"event": "made", "shard": 3}]
    assert done.kind == ""


def test_one_thread_for_each_library() -> None:
    def work(report: ReportEvent) -> None:
        from threadpoolctl import threadpool_info

        import faiss  # noqa: F401  # isort: skip

        threads = sorted({pool["num_threads"] for pool in threadpool_info()})
        report("made", threads=threads, environment=[os.environ[name] for name in ONE_THREAD])

    assert ended(work)[0] == [{"event": "made", "threads": [1], "environment": ["1"] * 4}]


def test_where_a_library_was_loaded_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", types.ModuleType("faiss"))
    with pytest.raises(RuntimeError, match="faiss imported in a worker"):
        ended(lambda _: None)


def test_it_dies_with_who_started_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def work(_: ReportEvent) -> None:
        pid_file.write_text(str(os.getpid()))
        time.sleep(60)

    parent = os.fork()
    if parent == 0:
        ended(work)
        os._exit(0)
    until(lambda: pid_file.exists() and bool(pid_file.read_text()))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    until(lambda: not Path(f"/proc/{pid_file.read_text()}").exists(), 30)
