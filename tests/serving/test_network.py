"""The two networks: the same behaviour for threads and for an event loop."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from redis import Redis

from recommender.errors import StoreUnavailable
from recommender.serving.connection import connection_pool
from recommender.serving.network import Link, Loop, LoopEvent, Network, Threads, completed, left
from recommender.serving.protocol import ReplyReader, packed

Run = Callable[[Coroutine[Any, Any, None]], None]

NETWORKS: list[tuple[Network, Run]] = [(Threads(), completed), (Loop(), asyncio.run)]
both = pytest.mark.parametrize(("network", "run"), NETWORKS, ids=["threads", "loop"])


def soon() -> float:
    return time.monotonic() + 20


async def connected(network: Network, url: str) -> Link:
    pool = connection_pool(url, connect_timeout_s=20, timeout_s=20, client_name="network")
    return await network.connect(pool)


@both
def test_a_link_exchanges_messages_until_the_server_hangs_up(
    network: Network, run: Run, server_url: str, store: Redis
) -> None:
    store.set("k", "v")

    async def exchange() -> None:
        link = await connected(network, server_url)
        for _ in range(2):
            reader = ReplyReader(1)
            link.send(packed(("MGET", "k")), soon())
            await link.receive(reader, soon())
            assert reader.values == [b"v"]
        assert await link.ask(("GET", "k")) == b"v"
        assert link.usable()
        link.send(packed(("QUIT",)), soon())
        with pytest.raises(StoreUnavailable):
            await link.receive(ReplyReader(), soon())
        link.close()

    run(exchange())


@both
def test_a_link_with_data_that_nobody_asked_for_is_not_usable(
    network: Network, run: Run, server_url: str
) -> None:
    async def exchange() -> None:
        link = await connected(network, server_url)
        link.send(packed(("PING", "p")), soon())
        while link.usable() and time.monotonic() < soon():
            await network.event().wait_until(time.monotonic() + 0.01)
        assert not link.usable()
        link.close()

    run(exchange())


@both
def test_a_deadline_that_passed_sends_nothing(
    network: Network, run: Run, server_url: str, store: Redis
) -> None:
    async def exchange() -> None:
        link = await connected(network, server_url)
        with pytest.raises(StoreUnavailable, match="deadline passed"):
            link.send(packed(("MGET", "k")), time.monotonic() - 1)
        link.close()

    run(exchange())
    assert "cmdstat_mget" not in store.info("commandstats")


@both
def test_waiting_ends_with_the_event_or_the_time(network: Network, run: Run) -> None:
    async def wait() -> None:
        event = network.event()
        assert not await event.wait_until(time.monotonic() + 0.01)
        event.set()
        assert await event.wait_until(time.monotonic() - 1)

    run(wait())


@both
def test_what_is_started_runs_beside_its_caller(network: Network, run: Run) -> None:
    async def start() -> None:
        event = network.event()

        async def work() -> None:
            event.set()

        end = network.start(work, "network")
        assert await event.wait_until(soon())
        end()

    run(start())


def test_a_coroutine_that_suspends_needs_a_loop() -> None:
    with pytest.raises(RuntimeError, match="suspended"):
        completed(asyncio.sleep(0))


def test_what_is_left_of_a_deadline() -> None:
    assert 0 < left(soon()) <= 20
    with pytest.raises(StoreUnavailable, match="deadline passed"):
        left(time.monotonic())


def test_a_busy_loop_looks_again_before_a_wait_was_in_vain() -> None:
    async def ask(stall_s: float) -> bool:
        event = LoopEvent()
        loop = asyncio.get_running_loop()
        waiting = asyncio.create_task(event.wait_until(time.monotonic() + 0.02))
        await asyncio.sleep(0)
        time.sleep(stall_s)
        loop.call_later(0.001, event.set)
        return await waiting

    assert asyncio.run(ask(0.1))


def test_a_loop_that_is_busy_for_ever_ends_a_wait() -> None:
    stalls = 0

    async def ask() -> bool:
        async def stall() -> None:
            nonlocal stalls
            while True:
                time.sleep(0.03)
                stalls += 1
                await asyncio.sleep(0)

        busy = asyncio.create_task(stall())
        try:
            return await LoopEvent().wait_until(time.monotonic() + 0.01)
        finally:
            busy.cancel()

    assert not asyncio.run(ask())
    assert stalls < 20
