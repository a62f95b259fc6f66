"""Connections that are kept ready, for threads and for an event loop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis

from recommender.errors import StoreUnavailable
from recommender.serving.fallbacks import FAILURES
from recommender.serving.network import Loop, LoopLink, Network
from recommender.serving.protocol import ReplyReader, packed
from recommender.serving.state import NotAsked
from recommender.serving.transport import READY, Connections
from tests.serving.test_network import Run, both, soon


@asynccontextmanager
async def connections(url: str, network: Network) -> AsyncIterator[Connections]:
    made = Connections(url, network, client_name="transport")
    try:
        yield made
    finally:
        made.close()


def opened(store: Redis) -> list[str]:
    """The ids of the connections of that name on the server."""
    return [client["id"] for client in store.client_list() if client["name"] == "transport"]


@both
def test_only_topping_up_connects_and_only_once(
    network: Network, run: Run, server_url: str, store: Redis
) -> None:
    store.set("k", "v")

    async def ask() -> None:
        async with connections(server_url, network) as made:
            with pytest.raises(StoreUnavailable, match="not connected"):
                await made.poll(("MGET", "k"))
            assert made.counts() == {"connections": 0}
            for _ in range(3):
                await made.top_up()
                assert made.counts() == {"connections": READY}
            assert await made.poll(("MGET", "k", "none")) == [b"v", None]
            for _ in range(2 * READY):
                assert await made.read(("MGET", "k"), soon()) == [b"v"]
            assert made.counts() == {"connections": READY}
            assert len(opened(store)) == READY + 1
        assert made.counts() == {"connections": 0}

    run(ask())


@both
def test_without_a_free_connection_a_request_asks_for_one_and_gives_up(
    network: Network, run: Run, server_url: str
) -> None:
    async def ask() -> None:
        async with connections(server_url, network) as made:
            with pytest.raises(StoreUnavailable, match="no connection was free before"):
                await made.read(("MGET", "k"), time.monotonic() + 0.05)
            assert made.wanted.is_set()

    run(ask())


@both
def test_a_deadline_that_passed_drops_the_connection(
    network: Network, run: Run, server_url: str
) -> None:
    async def ask() -> None:
        async with connections(server_url, network) as made:
            await made.top_up()
            link = made.take_idle()
            assert link is not None
            with pytest.raises(NotAsked, match="deadline passed"):
                made.send(link, packed(("MGET", "k")), time.monotonic() - 1)
            assert made.counts() == {"connections": READY - 1}

    run(ask())


@both
def test_connections_that_the_server_ended_are_replaced(
    network: Network, run: Run, server_url: str, store: Redis
) -> None:
    async def ask() -> None:
        async with connections(server_url, network) as made:
            await made.top_up()
            before = opened(store)
            for client in before:
                store.client_kill_filter(_id=client)
            while before[0] in opened(store) or not set(opened(store)) - set(before):
                await network.event().wait_until(time.monotonic() + 0.01)
                await made.top_up()
            assert made.counts() == {"connections": READY}
            assert await made.read(("MGET", "k"), soon()) == [None]

    run(ask())


@both
def test_a_connection_in_use_is_closed_when_it_comes_back(
    network: Network, run: Run, server_url: str
) -> None:
    async def ask() -> None:
        async with connections(server_url, network) as made:
            await made.top_up()
            taken = made.take_idle()
            assert taken is not None
            made.close()
            assert made.counts() == {"connections": 1}
            made.give(taken)
            assert made.counts() == {"connections": 0}

    run(ask())


def test_a_connection_that_is_made_while_all_are_closed_is_closed_too(server_url: str) -> None:
    async def ask() -> None:
        async with connections(server_url, Loop()) as made:
            connecting = asyncio.create_task(made.connect())
            await asyncio.sleep(0)
            made.close()
            with pytest.raises(StoreUnavailable, match="closed meanwhile"):
                await connecting
            assert made._control is None

    asyncio.run(ask())


def test_a_request_that_waits_gets_the_next_connection(server_url: str) -> None:
    async def ask() -> None:
        async with connections(server_url, Loop()) as made:
            waiting = asyncio.create_task(made.read(("MGET", "none"), soon()))
            await asyncio.sleep(0)
            await made.top_up()
            assert await waiting == [None]

    asyncio.run(ask())


def test_a_connection_of_a_cancelled_request_goes_to_the_next(server_url: str) -> None:
    async def ask() -> None:
        async with connections(server_url, Loop()) as made:
            first = asyncio.create_task(made.read(("MGET", "one"), soon()))
            await asyncio.sleep(0)
            connection = await made.connected()
            made._open += 1
            made.give(connection)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert await made.read(("MGET", "two"), soon()) == [None]
            assert made.counts() == {"connections": 1}

    asyncio.run(ask())


def test_a_cancelled_question_keeps_its_connection(server_url: str, store: Redis) -> None:
    async def ask() -> None:
        async with connections(server_url, Loop()) as made:
            await made.top_up()
            before = opened(store)
            for _ in range(20):
                question = asyncio.create_task(made.read(("MGET", "k"), soon()))
                await asyncio.sleep(0)
                question.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await question
                while made._owing:
                    await asyncio.sleep(0.001)
            assert await made.read(("MGET", "k"), soon()) == [None]
            assert opened(store) == before

    asyncio.run(ask())


@pytest.mark.fault(24)
def test_a_cancelled_question_without_a_reply_loses_its_connection(server_url: str) -> None:
    async def ask() -> None:
        async with connections(server_url, Loop()) as made:
            await made.top_up()
            link = made.take_idle()
            assert isinstance(link, LoopLink)
            made._owing.add(link)
            made._settle(link, ReplyReader(1), time.monotonic() + 0.02)
            while made._owing:
                await asyncio.sleep(0.001)
            assert made.counts() == {"connections": READY - 1}
            made._owing.add(link)
            made.close()
            assert not made._owing

    asyncio.run(ask())


@both
def test_only_the_first_wait_for_a_server_that_is_silent(network: Network, run: Run) -> None:
    async def ask() -> None:
        async with connections("redis://127.0.0.1:1", network) as made:
            for _ in range(FAILURES):
                with pytest.raises(NotAsked, match="no connection was free before"):
                    await made.read(("MGET", "k"), time.monotonic() + 0.01)
            with pytest.raises(NotAsked, match="there is no connection"):
                await made.read(("MGET", "k"), soon())

    run(ask())
