"""Child processes: work that is forked, `recommender` commands, and the shutdown of a worker.

Heavy work is forked from a pool child, which never loads a library that computes. The memory of
the work is freed when it ends, and its exit code, signal and peak memory are known. It dies with
the pool child.
"""

import json
import logging
import mmap
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recommender.errors import RecommenderError, StoreUnavailable

GRACE_S = 5.0
"""How long work may go on after a shutdown was requested; another worker does it again."""
SHUT_DOWN = "ShutDown"
"""The `kind` of a process that ended because its worker shuts down: neither done nor failed."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
HEAVY = ("torch", "faiss", "implicit", "lightgbm", "sklearn", "sentence_transformers")
MEBIBYTE = 1024 * 1024
LONGEST_MESSAGE = 500
LONGEST_COMMAND_S = 4 * 3600
CHECK_S = 0.5
KEEP_ALIVE_S = 60.0
"""The interval of `keep_alive` for work that holds no lease."""

ReportEvent = Callable[..., None]
"""Called with the name of an event, and with its fields by keyword."""

log = logging.getLogger(__name__)

_shutdown = mmap.mmap(-1, 1)
"""One byte shared by the worker, its pool and their children: a signal reaches the worker alone."""


def request_shutdown() -> None:
    """Ask the pool and its children to end."""
    _shutdown[0] = 1


def shutting_down() -> bool:
    """Whether a shutdown was requested."""
    return _shutdown[0] == 1


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: `signal` is 0 unless one ended it, `kind` is the class of its error."""

    signal: int
    kind: str
    error: str
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class ForkedProcess:
    """`work` in a process of its own, in which libraries that compute get one thread.

    `keep_alive` is called every `every_s` seconds; where it returns False, the process is killed.
    """

    work: Callable[[ReportEvent], None]
    keep_alive: Callable[[], bool] = lambda: True
    every_s: float = KEEP_ALIVE_S
    memory_mb: int = 0

    def run(self) -> list[Mapping[str, Any]]:
        """Run to the end; returns the events.

        Raises: StoreUnavailable where that was the error of the work; RecommenderError for others.
        """
        events = []
        for event in self.events():
            if not isinstance(event, Ended):
                events.append(event)
            elif event.kind == StoreUnavailable.__name__:
                raise StoreUnavailable(event.error)
            elif event.signal or event.kind:
                raise RecommenderError(event.error or ended_by(event.signal))
        return events

    def events(self) -> Iterator[Mapping[str, Any] | Ended]:
        """Run to the end: the events that the work reports, then how the process ended."""
        refuse_heavy()
        report_end, work_end = os.pipe()
        child_end, parent_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(report_end)
            os.close(parent_end)
            self._run_child(work_end, child_end)
        os.close(work_end)
        os.close(child_end)
        last: Mapping[str, Any] = {}
        try:
            with os.fdopen(report_end, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    last = json.loads(line) if line.endswith("\n") else {}
                    if last.get("event") != "ended":
                        yield last
            _, status, usage = os.wait4(pid, 0)
        finally:
            os.close(parent_end)
        yield Ended(
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            kind=str(last.get("kind", "")),
            error=str(last.get("error", "")),
            peak_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        )

    def _run_child(self, work_end: int, child_end: int) -> None:
        """The child's part; never returns."""
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with os.fdopen(work_end, "w", encoding="utf-8", buffering=1) as pipe:

                def report(event: str, **fields: object) -> None:
                    pipe.write(json.dumps({"event": event, **fields}) + "\n")

                try:
                    self._limit()
                    pipes = (child_end, work_end)
                    threading.Thread(target=self._supervise, args=pipes, daemon=True).start()
                    self.work(report)
                except BaseException as error:
                    if not isinstance(error, RecommenderError):
                        log.exception("event=step_broke")
                    line = " ".join(str(error).split())[:LONGEST_MESSAGE]
                    kind = type(error).__name__
                    report("ended", kind=kind, error=line or kind)
        finally:
            os._exit(0)

    def _limit(self) -> None:
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
        if self.memory_mb:
            ceiling = self.memory_mb * MEBIBYTE
            resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))

    def _supervise(self, child_end: int, work_end: int) -> None:
        """Die with the pool child, whose end of the pipe then closes; keep the work alive."""
        kept_at = requested_at = time.monotonic()
        while not select.select([child_end], [], [], min(CHECK_S, self.every_s))[0]:
            now = time.monotonic()
            requested_at = requested_at if shutting_down() else now
            if now - requested_at >= GRACE_S:
                ended = json.dumps({"event": "ended", "kind": SHUT_DOWN}) + "\n"
                os.write(work_end, ended.encode())
                os._exit(0)
            if now - kept_at >= self.every_s:
                if not self._kept_alive():
                    break
                kept_at = now
        os.kill(os.getpid(), signal.SIGKILL)

    def _kept_alive(self) -> bool:
        try:
            return self.keep_alive()
        except RecommenderError as error:
            log.warning("event=lease_not_renewed error=%s", error)
            return True


def refuse_heavy() -> None:
    """Raises: RuntimeError where a library was loaded that does not survive a fork."""
    loaded = [name for name in HEAVY if name in sys.modules]
    if loaded:
        raise RuntimeError(f"{', '.join(loaded)} imported in a worker: forked, its threads hang")


def ended_by(number: int) -> str:
    """How a process ended that a signal ended, in words."""
    try:
        return f"ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended by signal {number}"


class CommandFailed(RecommenderError):
    """A command failed: its exit code and the last line of its errors."""


def run_command(*arguments: str, longest_s: float = LONGEST_COMMAND_S) -> str:
    """Run `recommender ARGUMENTS`; returns its output. It is killed after `longest_s` seconds.

    Raises: StoreUnavailable where that was its error; CommandFailed for any other.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "recommender.cli", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=longest_s,
            start_new_session=True,  # so that Ctrl-C ends the worker after the command
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{arguments[0]}: killed after {longest_s:g} s") from error
    if done.returncode == StoreUnavailable.exit_code:
        raise StoreUnavailable(_last_line(done.stderr))
    if done.returncode < 0:
        raise CommandFailed(f"{arguments[0]}: {ended_by(-done.returncode)}")
    if done.returncode:
        raise CommandFailed(f"exit code {done.returncode}: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.split("\n") if line.strip()] or ["no message"]
    return lines[-1].removeprefix("recommender: ")[:LONGEST_MESSAGE]
