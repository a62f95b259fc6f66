"""Runs a target on damaged input, within bounds of memory and of time on the processor."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.damage import damaged
from tests.fuzz.targets import Target

MEMORY_BYTES = 2 * 2**30
"""What an example may take beyond what the process has."""
CPU_S = 20.0
"""What an example may take of the processor, so that other processes do not count."""


class TookTooLong(BaseException):
    """An example that does not end; no `except Exception` of what is fuzzed catches it."""


def fuzz(target: Target, number: int, examples: int) -> None:
    """Give a target this many inputs, which `number` chooses.

    Raises: what the target raised that it must not, with the smallest input found.
    """

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(content=damaged(target.valid(), target.words))
    def read(content: bytes) -> None:
        try:
            with limited():
                target.read(Path(folder), content)
        except target.allowed:
            pass
        except TookTooLong as error:
            raise AssertionError(f"more than {CPU_S:.0f} s of the processor") from error

    with TemporaryDirectory() as folder, bounded():
        read()


@contextmanager
def bounded() -> Iterator[None]:
    """Bound the memory that this process may take, so that a bomb raises MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def limited(cpu_s: float = CPU_S) -> Iterator[None]:
    """Raise TookTooLong in a block that takes more of the processor than an example may."""
    before = signal.signal(signal.SIGVTALRM, _end)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TookTooLong
