"""Where a run is: its stage, how long it has run, and what it takes yet as an earlier run did."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from rich.console import Console
from rich.live import Live
from rich.text import Text

from recommender.artifacts.runs import find_run
from recommender.artifacts.store import ArtifactStore
from recommender.cli.terminal import duration

TOLD_FROM_S = 10
PER_SECOND = 2


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The stages of a run that was published, in their order, and the seconds that each took."""

    id: str
    stages: Sequence[tuple[str, float]]

    @classmethod
    def newest(cls, store: ArtifactStore) -> "EarlierRun | None":
        """The newest that was published, None where there is none yet."""
        for run in map(partial(find_run, store), store.runs()):
            if run is not None and run.state == "published":
                return cls(run.id, [(stage["stage"], stage["seconds"]) for stage in run.stages])
        return None


@dataclass(slots=True)
class RunLine:
    """A line on stderr that says where a run is, or a line after each long stage of it.

    The second where stderr is no terminal. `passed` are how many stages of the earlier run lie
    behind; stages that it did not have leave that as it is.
    """

    earlier: EarlierRun | None
    clock: Callable[[], float] = time.monotonic
    current: str = ""
    began: float = 0.0
    passed: int = 0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the line on the terminal meanwhile."""
        if not sys.stderr.isatty():
            yield
            return
        console = Console(stderr=True)
        with Live(
            get_renderable=self.line, console=console, refresh_per_second=PER_SECOND, transient=True
        ):
            yield

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What runs inside is that stage."""
        self.current, self.began = name, self.clock()
        place = self._place()
        yield
        if place is not None:
            self.passed = place + 1
        seconds, self.current = self.clock() - self.began, ""
        if not sys.stderr.isatty() and seconds >= TOLD_FROM_S:
            sys.stderr.write(f"{name}: {duration(seconds)}{self._outlook()}\n")

    def line(self) -> Text:
        """The stage and its time, the time of the run, and what is left."""
        now = self.clock()
        stage = f"{self.current:<32} {duration(now - self.began)}, " if self.current else ""
        return Text(f"{stage}run {duration(now - self.started)}{self._outlook()}", style="dim")

    def left(self) -> float | None:
        """Seconds that the stages ahead took in the earlier run; None without one."""
        if self.earlier is None:
            return None
        place = self._place()
        ahead = self.earlier.stages[self.passed if place is None else place + 1 :]
        left = sum(seconds for _, seconds in ahead)
        if place is not None:
            left += max(0.0, self.earlier.stages[place][1] - (self.clock() - self.began))
        return left

    def _place(self) -> int | None:
        """Of the current stage in the earlier run, not before those that lie behind."""
        stages = [name for name, _ in self.earlier.stages] if self.earlier else []
        if self.current not in stages[self.passed :]:
            return None
        return stages.index(self.current, self.passed)

    def _outlook(self) -> str:
        left = self.left()
        if left is None or self.earlier is None:
            return ""
        return f", about {duration(left)} left if as in run {self.earlier.id}"
