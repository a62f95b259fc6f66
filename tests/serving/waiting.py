"""Counts how often a lookup waits, so that tests need not time it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recommender.serving.lookup import RelatedItems


@contextmanager
def waits_of(lookup: RelatedItems) -> Iterator[list[str]]:
    """Yield a list that grows by "read" or "wait" whenever this thread waits for the store."""
    connections: Any = lookup._reader()._connections
    caller = threading.get_ident()
    waits: list[str] = []

    def counted(name: str) -> None:
        original = getattr(connections, name)

        async def counting(*arguments: object) -> object:
            if threading.get_ident() == caller:
                waits.append(name)
            return await original(*arguments)

        setattr(connections, name, counting)

    counted("read")
    counted("wait")
    try:
        yield waits
    finally:
        del connections.read, connections.wait
