"""One scheduler and a virtual clock: processes that take turns, in an order that a seed decides.

A process is a greenlet. It runs until it asks the store, sleeps or waits; then the scheduler takes
the next event in virtual time. So a seed always gives the same run, whatever the machine does.
"""

import heapq
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

from greenlet import GreenletExit, getcurrent, greenlet

EPOCH_S = 1_700_000_000.0
"""The virtual time at which a run begins; production code takes it for a date."""


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(eq=False)
class Process:
    """One process: it may be killed, which runs none of its code any more, or paused."""

    name: str
    world: "World"
    work: Callable[[], object]
    alive: bool = True
    token: int = 0
    ended: "Event" = field(init=False)
    error: Exception | None = None
    killed: bool = False
    paused_until: float = 0.0
    parent: "Process | None" = None
    children: list["Process"] = field(default_factory=list)
    turns: greenlet = field(init=False)

    def __post_init__(self) -> None:
        self.ended = Event(self.world)
        self.turns = greenlet(self._run, parent=self.world.hub)

    def _run(self) -> None:
        try:
            self.work()
        except GreenletExit:
            return
        except Violation as violation:
            self.world.violation = violation
        except Exception as error:
            self.error = error
        self.alive = False
        for child in self.children:
            child.kill()
        self.ended.set()

    def kill(self) -> None:
        """End it where it is, as SIGKILL does: no handler and no `finally` runs."""
        self.killed = self.alive
        self.alive = False
        for child in self.children:
            child.kill()
        self.ended.set()

    def pause(self, until: float) -> None:
        """Give it no turn until then, as SIGSTOP does."""
        self.paused_until = until
        for child in self.children:
            child.pause(until)

    def wait(self, until: float) -> None:
        """Give up the turn until that time, or until something wakes it."""
        self.world.schedule(max(until, self.world.now), self)
        self.world.hub.switch()


class World:
    """The virtual time, the events to come, and the randomness of one run."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = EPOCH_S
        self.hub: greenlet = getcurrent()
        self.current: Process | None = None
        self.violation: Violation | None = None
        self.tracing = False
        self.trace: list[str] = []
        self.closed = False
        self.n_steps = 0
        self._events: list[tuple[float, float, int, Process | Callable[[], None], int]] = []
        self._order = 0
        self._processes: list[Process] = []

    def start(
        self, name: str, work: Callable[[], object], *, parent: Process | None = None
    ) -> Process:
        """A process that gets its first turn soon; one with a parent dies with it."""
        process = Process(name, self, work, parent=parent)
        if parent is not None:
            parent.children.append(process)
        self._processes.append(process)
        self.schedule(self.now + self.random.random() * 0.01, process)
        return process

    def schedule(self, at: float, process: Process) -> None:
        """Give a process its next turn; one that was planned before does not count any more."""
        process.token += 1
        self._push(at, process, process.token)

    def wake(self, process: Process, token: int) -> None:
        """Give a process its next turn now, unless it had one since it got `token`."""
        if process.token == token:
            self.schedule(self.now, process)

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do something at that time, in the turn of nobody."""
        self._push(when, act, 0)

    def _push(self, at: float, what: Process | Callable[[], None], token: int) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self.random.random(), self._order, what, token))

    def run_until(self, end: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let processes take turns. Raises: Violation."""
        while self._events and self._events[0][0] <= end and not done():
            at, _, _, what, token = heapq.heappop(self._events)
            self.now = max(self.now, at)
            self.n_steps += 1
            if not isinstance(what, Process):
                what()
            elif what.alive and what.token == token:
                if what.paused_until > self.now:
                    self.schedule(what.paused_until, what)
                    continue
                self.current = what
                what.turns.switch()
                self.current = None
            if self.violation is not None:
                raise self.violation
        self.now = max(self.now, end) if not done() else self.now

    def note(self, line: str) -> None:
        """Add a line to the trace, if there is one."""
        if not self.tracing:
            return
        name = self.current.name if self.current else "-"
        self.trace.append(f"{self.now - EPOCH_S:9.4f} {name:12} {line}")

    def sleep(self, seconds: float) -> None:
        """`time.sleep` of the process whose turn it is."""
        assert self.current is not None
        self.current.wait(self.now + seconds)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the module `time`, and random numbers of production code, be those of this world."""
        state = random.getstate()
        random.seed(self.random.random())
        with (
            mock.patch.multiple(time, monotonic=self._clock, time=self._clock, sleep=self.sleep),
            mock.patch("os.fsync"),
        ):
            try:
                yield
            finally:
                random.setstate(state)
                self._close()

    def _clock(self) -> float:
        return self.now

    def _close(self) -> None:
        """Throw away the processes; what they ask for while they unwind is refused."""
        self.closed = True
        for process in self._processes:
            if process.turns:
                process.turns.throw()


class Event:
    """An event that processes wait for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._set = False
        self._waiting: list[tuple[Process, int]] = []

    def is_set(self) -> bool:
        """Whether it happened."""
        return self._set

    def set(self) -> None:
        """Wake all that wait."""
        self._set = True
        waiting, self._waiting = self._waiting, []
        for process, token in waiting:
            self._world.wake(process, token)

    def clear(self) -> None:
        """Let it happen again."""
        self._set = False

    def wait(self, until: float) -> bool:
        """Wait; False where it did not happen by then."""
        process = self._world.current
        assert process is not None
        while not self._set and self._world.now < until:
            self._waiting.append((process, process.token + 1))
            process.wait(until)
        return self._set
