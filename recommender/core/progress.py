"""How a long stage tells how far it is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

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
