"""Connections of an event loop that are kept ready."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis

from recommender.errors import StoreUnavailable
from recommender.serving.aio_transport import AsyncConnections, AsyncNode, wait_async
from recommender.serving.fallbacks import FAILURES
from recommender.serving.transport import READY


@asynccontextmanager
async def connections(url: str) -> AsyncIterator[AsyncConnections]:
    made = AsyncConnections(url, client_name="aio-transport")
    try:
        yield made
    finally:
        made.close()


def soon() -> float:
    return time.monotonic() + 20


def test_only_topping_up_connects_and_only_once(server_url: str, store: Redis) -> None:
    store.set("k", "v")

    async def ask() -> None:
        async with connections(server_url) as made:
            with pytest.raises(StoreUnavailable, match="not connected"):
                await made.poll(("MGET", "k"))
            for _ in range(3):
                await made.top_up()
                assert made.counts() == {"connections": READY}
            assert await made.poll(("MGET", "k", "none")) == [b"v", None]
            for _ in range(2 * READY):
                assert await made.read(("MGET", "k"), soon()) == [b"v"]
            assert made.counts() == {"connections": READY}
        assert made.counts() == {"connections": 0}

    asyncio.run(ask())


def test_a_connection_that_is_made_while_all_are_closed_is_closed_too(server_url: str) -> None:
    async def ask() -> None:
        async with connections(server_url) as made:
            connecting = asyncio.create_task(made.connect())
            await asyncio.sleep(0)
            made.close()
            with pytest.raises(StoreUnavailable, match="closed meanwhile"):
                await connecting
            assert made._control is None

    asyncio.run(ask())


def test_a_request_waits_for_a_connection_and_gives_up_at_the_deadline(server_url: str) -> None:
    async def ask() -> None:
        async with connections(server_url) as made:
            with pytest.raises(TimeoutError):
                await made.read(("PING", "x"), time.monotonic() + 0.05)
            assert made.wanted.is_set()
            waiting = asyncio.create_task(made.read(("MGET", "none"), soon()))
            await asyncio.sleep(0)
            await made.top_up()
            assert await waiting == [None]

    asyncio.run(ask())


def test_a_connection_of_a_cancelled_request_goes_to_the_next(server_url: str) -> None:
    async def ask() -> None:
        async with connections(server_url) as made:
            first = asyncio.create_task(made.read(("MGET", "one"), soon()))
            await asyncio.sleep(0)
            connection = await made.connected()
            made._open += 1
            made._give(connection)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert await made.read(("MGET", "two"), soon()) == [None]
            assert made.counts() == {"connections": 1}

    asyncio.run(ask())


def test_the_breaker_of_a_node_opens_with_its_failures_and_names_it(refused_port: int) -> None:
    reports: list[str] = []

    async def ask() -> None:
        node = AsyncNode(
            ("127.0.0.1", refused_port),
            AsyncConnections(f"redis://127.0.0.1:{refused_port}", client_name="node"),
            deadline_s=0.1,
            report=lambda event, error: reports.append(f"{event}: {error}"),
        )
        opened = [node.breaker.open]
        for _ in range(FAILURES):
            node.failed("node_failures", ValueError("refused"))
        opened.append(node.breaker.open)
        assert opened == [False, True]
        node.stop()

    asyncio.run(ask())
    assert reports[0] == f"node_failures: node 127.0.0.1:{refused_port}: refused"


def test_waiting_ends_with_the_event_or_the_time() -> None:
    async def wait() -> None:
        event = asyncio.Event()
        assert not await wait_async(event, time.monotonic() + 0.01)
        event.set()
        assert await wait_async(event, soon())

    asyncio.run(wait())
