"""Telemetry of a run: what each stage costs, and how far it is."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage of a run; `reused` where its artifact was there already."""

    stage: str
    seconds: float
    peak_bytes: int
    reused: bool


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Collects the costs of the stages of one run, in the order in which they ended.

    Each runs inside of `watch`, which is called with its name.
    """

    costs: list[StageCost] = field(default_factory=list)
    watch: Callable[[str], AbstractContextManager[object]] = nullcontext

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Measure the stage that runs inside; it counts when it succeeds."""
        _forget_peak()
        started = time.perf_counter()
        with self.watch(stage):
            yield
        self.costs.append(StageCost(stage, time.perf_counter() - started, peak_bytes(), False))

    def reused(self, stage: str) -> None:
        """Note a stage whose artifact was there already, unless this run made it."""
        if any(cost.stage == stage for cost in self.costs):
            return
        self.costs.append(StageCost(stage, 0.0, 0, True))


def peak_bytes() -> int:
    """Largest resident memory of this process since the last stage began.

    Where the system cannot forget an earlier peak (not Linux), since the process began.
    """
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _forget_peak() -> None:
    with suppress(OSError):
        _CLEAR_REFS.write_text("5")


Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Called with what is done and how many units it has; the context yields `advance(units)`."""


def part_of(advance: Advance) -> Progress:
    """Progress of a part of something longer, which `advance` belongs to."""

    @contextmanager
    def inner(_what: str, _total: int) -> Iterator[Advance]:
        yield advance

    return inner


@contextmanager
def silent(_what: str, _total: int) -> Iterator[Advance]:
    """Progress that nobody watches."""
    yield lambda _units: None
