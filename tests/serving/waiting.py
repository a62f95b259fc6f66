"""Counts how often a lookup waits, so that tests need not time it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from recommender.serving.lookup import RelatedItems
from recommender.serving.network import BlockingEvent


@contextmanager
def waits_of(lookup: RelatedItems) -> Iterator[list[str]]:
    """Yield a list that grows by "read" or "wait" whenever this thread waits for the store."""
    connections: Any = lookup._reader()._connections
    read, wait_until = connections.read, BlockingEvent.wait_until
    caller = threading.get_ident()
    waits: list[str] = []

    async def counted_read(*arguments: object) -> object:
        waits.append("read")
        return await read(*arguments)

    async def counted_wait(event: BlockingEvent, until: float) -> bool:
        if threading.get_ident() == caller:
            waits.append("wait")
        return await wait_until(event, until)

    with (
        patch.object(connections, "read", counted_read),
        patch.object(BlockingEvent, "wait_until", counted_wait),
    ):
        yield waits
