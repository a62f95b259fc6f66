import asyncio
import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from redis import Redis

from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.fallbacks import FAILURES
from tests.serving.test_lookup import LISTS, Shelf
from tests.serving.test_reader import dribble, proxy, reset, silence, whole

CANCELS = 10_000


@pytest.fixture
def shelf(store: Redis, shop: str) -> Shelf:
    return Shelf(store, shop).put(1, LISTS).point(1, 1)


async def within(seconds: float, condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.005)


def test_the_answers_are_those_of_threads(server_url: str, shelf: Shelf) -> None:
    async def ask() -> None:
        reader = AsyncRelatedItems(server_url, shelf.shop, deadline_s=5.0)
        answer = await reader.get("a", n=2, exclude=["b"])
        assert (answer.status, answer.ids, answer.generation) == ("ok", ("c", "d"), 1)
        assert (await reader.get("f")).status == "topped_up"
        assert (await reader.get("x")).ids == ("p", "q", "r", "s")
        assert (await reader.get("a", "elsewhere")).status == "unknown_placement"
        answers = await reader.get_many(["a", "f", "x"], n=2, distinct=True)
        assert [answer.ids for answer in answers] == [("b", "c"), ("p", "q"), ("r", "s")]
        assert (await reader.for_items(["a", "f", "c"], n=1)).items[0].score == 1.5
        assert reader.stats()["reads"] == 4
        with pytest.raises(TypeError):
            await reader.get(7)  # type: ignore[arg-type]
        await reader.aclose()
        assert (await reader.get("a")).status == "stale"

    asyncio.run(ask())


def test_a_lookup_that_is_waited_for_answers_its_first_question(
    server_url: str, shelf: Shelf
) -> None:
    async def ask(url: str) -> None:
        hasty = AsyncRelatedItems(url, shelf.shop, deadline_s=0.05)
        assert (await hasty.get("a")).status == "degraded"
        await hasty.aclose()
        patient = AsyncRelatedItems(url, shelf.shop, deadline_s=0.05)
        assert not await patient.wait_ready(0.05)
        assert await patient.wait_ready()
        assert (await patient.get("a")).status == "ok"
        await patient.aclose()
        assert not await patient.wait_ready()

    with proxy(server_url.removeprefix("unix://"), whole, handshake_s=0.3) as url:
        asyncio.run(ask(url))


def test_waiting_for_a_server_that_is_away_ends(refused_port: int) -> None:
    async def ask() -> None:
        reader = AsyncRelatedItems(f"redis://127.0.0.1:{refused_port}", "acme")
        began = time.monotonic()
        assert not await reader.wait_ready(0.7)
        assert 0.6 < time.monotonic() - began < 20 * 0.7
        await reader.aclose()

    asyncio.run(ask())


def test_hidden_items_and_rollbacks_are_seen_within_two_seconds(
    server_url: str, shelf: Shelf
) -> None:
    async def ask() -> None:
        reader = AsyncRelatedItems(server_url, shelf.shop, deadline_s=5.0)
        assert (await reader.get("a")).ids[0] == "b"
        shelf.hide(1, "+b")

        async def shows(item: str) -> bool:
            return (await reader.get("a")).ids[0] == item

        async def soon_shows(item: str) -> None:
            before = reader.stats()["polls"]
            await within(40, lambda: shows(item))
            assert reader.stats()["polls"] <= before + 4

        await soon_shows("c")
        shelf.put(2, {"a": "new:t"}).point(2, 2)
        await soon_shows("new")
        shelf.point(3, 1)
        await soon_shows("c")
        await reader.aclose()

    asyncio.run(ask())


def test_each_loop_begins_anew(server_url: str, shelf: Shelf) -> None:
    reader = AsyncRelatedItems(server_url, shelf.shop, deadline_s=5.0)
    for _ in range(2):
        assert asyncio.run(reader.get("a")).status == "ok"


def test_a_refused_port_is_degraded_at_once(refused_port: int) -> None:
    async def ask() -> None:
        reader = AsyncRelatedItems(f"redis://127.0.0.1:{refused_port}", "acme")
        for _ in range(10):
            assert (await reader.get("a")).status == "degraded"
        assert reader.stats()["breaker_open"] == 1
        # Without a wait no other task runs.
        polls = reader.stats()["poll_failures"]
        for _ in range(100):
            assert (await reader.get("a")).status == "degraded"
        assert reader.stats()["poll_failures"] == polls
        await reader.aclose()

    asyncio.run(ask())


@pytest.mark.parametrize("answering", [silence, reset, dribble])
def test_a_reply_that_breaks_is_replaced_before_the_deadline(
    server_url: str, shelf: Shelf, answering: Callable[[socket.socket, bytes, bytes], None]
) -> None:
    async def ask(url: str) -> None:
        reader = AsyncRelatedItems(url, shelf.shop, deadline_s=0.1)

        async def polled() -> bool:
            return (await reader.get("\x00")).generation == 1

        await within(5, polled)
        for _ in range(3):
            began = time.monotonic()
            answer = await reader.get("a")
            assert time.monotonic() - began < 20 * 0.1
            assert (answer.status, answer.ids[0]) == ("fallback", "p")
        await reader.aclose()

    with proxy(server_url.removeprefix("unix://"), answering) as url:
        asyncio.run(ask(url))


@pytest.mark.fault(24)
def test_cancelled_questions_cross_no_answers(server_url: str, shelf: Shelf) -> None:
    items = [f"i{row}" for row in range(200)]
    shelf.put(1, {item: f"of-{item}:t" for item in items})
    delays = random.Random(7)

    def delayed(connection: socket.socket, command: bytes, reply: bytes) -> None:
        time.sleep(delays.uniform(0, 0.004))
        whole(connection, command, reply)

    async def storm(url: str) -> tuple[int, int, int]:
        reader = AsyncRelatedItems(url, shelf.shop, deadline_s=5.0, cache_items=0)
        moments = random.Random(8)
        cancelled = right = wrong = 0

        async def one() -> None:
            nonlocal cancelled, right, wrong
            item = moments.choice(items)
            question = asyncio.create_task(reader.get(item))
            if moments.random() < 0.7:
                await asyncio.sleep(moments.uniform(0, 0.004))
                question.cancel()
            with suppress(asyncio.CancelledError):
                answer = await question
                right += answer.ids == (f"of-{item}",)
                wrong += answer.status == "ok" and answer.ids != (f"of-{item}",)
                return
            cancelled += 1

        while cancelled < CANCELS:
            await asyncio.gather(*(one() for _ in range(40)))
        await reader.aclose()
        assert "read_failures" not in reader.stats()
        return cancelled, right, wrong

    before = threading.active_count()
    with proxy(server_url.removeprefix("unix://"), delayed) as url:
        cancelled, right, wrong = asyncio.run(storm(url))
    assert (cancelled >= CANCELS, wrong) == (True, 0)
    assert right > CANCELS / 10
    assert threading.active_count() < before + 150


@pytest.mark.fault(68)
def test_a_loop_that_was_busy_opens_no_breaker(server_url: str, shelf: Shelf) -> None:
    async def ask() -> None:
        reader = AsyncRelatedItems(server_url, shelf.shop, deadline_s=0.05, cache_items=0)
        assert await reader.wait_ready()
        for _ in range(4 * FAILURES):
            question = asyncio.create_task(reader.get("a"))
            await asyncio.sleep(0)
            time.sleep(0.3)
            assert (await question).status == "ok"
        assert reader.stats()["breaker_opened"] == 0
        await reader.aclose()

    asyncio.run(ask())
