"""A process of its own for heavy work: forked from the pool child, which never loads a library.

Its memory goes when it ends, and how it ended is known: exit code, signal, peak memory. It dies
with the pool child, and tells what it does in lines of JSON. Libraries that compute get one thread.
"""

import json
import logging
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recommender.errors import RecommenderError, StoreUnavailable
from workers.leaving import GRACE_S, leaving

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
HEAVY = ("torch", "faiss", "implicit", "lightgbm", "sklearn", "sentence_transformers")
MEBIBYTE = 1024 * 1024
LONGEST_ERROR = 500
WATCHED_S = 60.0
"""How often to look after work that holds no claim."""
LOOK_S = 0.5
LEFT = "Left"
"""How a process ends whose worker leaves: neither done nor failed."""

Tell = Callable[..., None]
"""Called with `event` and what belongs to it, by name."""
Watch = Callable[[], bool]
"""Called again and again beside the work; False ends the process at once."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: `signal` 0 unless one ended it; `error` is a line, `kind` its class."""

    signal: int
    kind: str
    error: str
    exit_code: int
    seconds: float
    peak_bytes: int

    def check(self) -> None:
        """See that it ended well. Raises: RecommenderError, StoreUnavailable where it was that."""
        if self.kind == StoreUnavailable.__name__:
            raise StoreUnavailable(self.error)
        if self.signal or self.kind:
            raise RecommenderError(self.error or f"ended by signal {self.signal}")


@dataclass(frozen=True, slots=True)
class Process:
    """`work` in a process of its own, with `watch` beside it every `every_s` seconds.

    Where the worker was asked to end, the process does so within `GRACE_S`, done or not.
    """

    work: Callable[[Tell], None]
    watch: Watch
    every_s: float
    memory_mb: int = 0

    def events(self) -> Iterator[Mapping[str, Any] | Ended]:
        """Run to the end: what the process tells as it goes, and how it ended."""
        refuse_heavy()
        told, telling = os.pipe()
        watched, holding = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(told)
            os.close(holding)
            self._be(telling, watched)
        os.close(telling)
        os.close(watched)
        last: Mapping[str, Any] = {}
        try:
            with os.fdopen(told, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    last = json.loads(line) if line.endswith("\n") else {}
                    if last.get("event") != "ended":
                        yield last
            _, status, usage = os.wait4(pid, 0)
        finally:
            os.close(holding)
        yield Ended(
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            kind=str(last.get("kind", "")),
            error=str(last.get("error", "")),
            exit_code=int(last.get("exit_code", 0)),
            seconds=time.monotonic() - started,
            peak_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        )

    def _be(self, telling: int, watched: int) -> None:
        """The life of the process; never returns."""
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with os.fdopen(telling, "w", encoding="utf-8", buffering=1) as pipe:

                def tell(event: str, **known: object) -> None:
                    pipe.write(json.dumps({"event": event, **known}) + "\n")

                self._limit()
                pipes = (watched, telling)
                watcher = threading.Thread(target=self._stand_by, args=pipes, daemon=True)
                watcher.start()
                status = _done(self.work, tell)
        finally:
            os._exit(status)

    def _limit(self) -> None:
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
        if self.memory_mb:
            ceiling = self.memory_mb * MEBIBYTE
            resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))

    def _stand_by(self, watched: int, telling: int) -> None:
        """Die with the pool child, whose end of the pipe then closes; else watch."""
        watched_at = asked_at = time.monotonic()
        while not select.select([watched], [], [], min(LOOK_S, self.every_s))[0]:
            now = time.monotonic()
            asked_at = asked_at if leaving() else now
            if now - asked_at >= GRACE_S:
                os.write(telling, json.dumps({"event": "ended", "kind": LEFT}).encode() + b"\n")
                os._exit(0)
            if now - watched_at >= self.every_s and not self._kept():
                break
            watched_at = now if now - watched_at >= self.every_s else watched_at
        os.kill(os.getpid(), signal.SIGKILL)

    def _kept(self) -> bool:
        try:
            return self.watch()
        except RecommenderError as error:
            log.warning("event=claim_not_renewed error=%s", error)
            return True


def refuse_heavy() -> None:
    """See that nothing was loaded that does not survive a fork. Raises: RuntimeError."""
    loaded = [name for name in HEAVY if name in sys.modules]
    if loaded:
        raise RuntimeError(f"{', '.join(loaded)} imported in a worker: forked, its threads hang")


def _done(work: Callable[[Tell], None], tell: Tell) -> int:
    try:
        work(tell)
    except RecommenderError as error:
        tell("ended", kind=type(error).__name__, error=_line(error), exit_code=error.exit_code)
        return error.exit_code
    except BaseException as error:
        log.exception("event=step_broke")
        tell("ended", kind=type(error).__name__, error=_line(error), exit_code=1)
        return 1
    return 0


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST_ERROR] or type(error).__name__
