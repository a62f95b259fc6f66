"""The lookup for asyncio: the same answers, kept ready by a task instead of a thread."""

import asyncio
import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from redis.asyncio.connection import AbstractConnection

from recommender.core.related import RelatedList
from recommender.errors import StoreUnavailable
from recommender.serving.aio_transport import AsyncWires, abort
from recommender.serving.cluster.aio_shards import AsyncShards
from recommender.serving.connection import POLL_TIMEOUT_S, cluster_url
from recommender.serving.core import Core, Question
from recommender.serving.lookup import Setup, next_poll_s
from recommender.serving.polled_state import Known, poll
from recommender.serving.query import Wish, checked_item, checked_items, checked_wish


class AsyncRelatedItems:
    """`RelatedItems` for asyncio; its arguments and its answers are the same.

    It polls in a task of the loop that asks, from the first question on; another loop, or a
    forked child, begins anew. A cancelled question closes its connection.
    """

    def __init__(
        self,
        url: str,
        shop: str,
        *,
        deadline_s: float = 0.05,
        cache_items: int = 10_000,
        snapshot: str | Path | None = None,
        client_name: str = "recommender-lookup",
    ) -> None:
        self._setup = Setup(
            url, shop, deadline_s, cache_items, Path(snapshot) if snapshot else None, client_name
        )
        self._reader = _AsyncReader(self._setup)

    async def get(
        self,
        item_id: str,
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
    ) -> RelatedList:
        """`RelatedItems.get`."""
        wish = checked_wish(placement, n, exclude, min_score=min_score, key=key)
        item = checked_item(item_id)
        reader = self._running()
        return reader.core.answer(await reader.ask((item,), wish), item)

    async def get_many(  # noqa: PLR0913
        self,
        item_ids: Collection[str],
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        distinct: bool = False,
        key: str = "",
    ) -> list[RelatedList]:
        """`RelatedItems.get_many`."""
        wish = checked_wish(placement, n, exclude, min_score=min_score, key=key)
        items = checked_items(item_ids)
        reader = self._running()
        return reader.core.answers(await reader.ask(items, wish), items, distinct=distinct)

    async def for_items(
        self,
        item_ids: Collection[str],
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
    ) -> RelatedList:
        """`RelatedItems.for_items`."""
        wish = checked_wish(placement, n, exclude, min_score=min_score, key=key)
        items = checked_items(item_ids)
        reader = self._running()
        return reader.core.merged(await reader.ask(items, wish), items)

    async def wait_ready(self, timeout_s: float = 5.0) -> bool:
        """`RelatedItems.wait_ready`, for the loop that asks."""
        return await self._running().wait_ready(timeout_s)

    def stats(self) -> Mapping[str, int]:
        """`RelatedItems.stats`, of the loop that asked last."""
        return self._reader.stats()

    async def aclose(self) -> None:
        """End the task and its connections; later questions get what is at hand without Redis."""
        await self._reader.aclose()

    def _running(self) -> "_AsyncReader":
        if not self._reader.belongs(asyncio.get_running_loop()):
            self._reader = _AsyncReader(self._setup)
        self._reader.start()
        return self._reader


class _AsyncReader:
    """The core, the connections and the polling task of one event loop."""

    def __init__(self, setup: Setup) -> None:
        self.core = setup.core()
        self._deadline_s = setup.deadline_s
        self._wires = _wires(setup, self.core)
        self._control: AbstractConnection | None = None
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._polled = asyncio.Event()

    def belongs(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this reader is the loop's, or still nobody's."""
        return self._pid == os.getpid() and (self._loop is None or self._loop is loop)

    def start(self) -> None:
        """Begin to poll, again where somebody cancelled the task."""
        if not self._stopped and (self._task is None or self._task.done()):
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self._run(), name="recommender-lookup")

    async def aclose(self) -> None:
        """End the task and close the connections."""
        self._stopped = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.core.close()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait for polls, which come at their own pace, until one has read Redis."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not (self._stopped or self.core.fresh):
                    await self._polled.wait()
        return not self._stopped and self.core.fresh

    async def ask(self, items: Sequence[str], wish: Wish) -> Question:
        """Read what the cache does not know of `items`, before the deadline."""
        until = asyncio.get_running_loop().time() + self._deadline_s
        core = self.core
        if not core.fresh and self._reading:
            await self._await_poll(until)
        question = core.question(items, wish)
        view = question.view
        if question.wanted and view is not None and self._reading:
            try:
                core.take(
                    question, view, await self._wires.call(core.command(question, view), until)
                )
            except Exception as error:
                # As in the lookup for threads: none of it may take a product page down.
                core.failed("read_failures", error)
        return question

    def stats(self) -> Mapping[str, int]:
        """The counters of the core, and those of the connections."""
        return {**self.core.stats(), **self._wires.counts()}

    @property
    def _reading(self) -> bool:
        return not (self._stopped or self.core.breaker.open)

    async def _await_poll(self, until: float) -> None:
        self._wires.wanted.set()
        try:
            async with asyncio.timeout_at(until):
                await self._polled.wait()
        except TimeoutError:
            self.core.failed("read_failures", StoreUnavailable("no poll before the deadline"))

    async def _run(self) -> None:
        try:
            while True:
                await self._poll()
                await self._rest(time.monotonic() + next_poll_s(self.core))
        finally:
            self._hang_up()
            self._wires.close()

    async def _rest(self, until: float) -> None:
        """Connect for requests that wait until the next poll is due or somebody waits for it."""
        wanted = self._wires.wanted
        with suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                while True:
                    await wanted.wait()
                    wanted.clear()
                    if self.core.breaker.open:
                        continue
                    if not self.core.fresh:
                        return
                    try:
                        await self._wires.top_up()
                    except Exception as error:
                        self.core.failed("poll_failures", error)
                        return

    async def _poll(self) -> None:
        try:
            self._control = self._control or await self._wires.connected()
            asked_at = time.monotonic()
            known, took_s = await self._read(self._control)
            await self._wires.top_up()
        except Exception as error:
            self._hang_up()
            self.core.failed("poll_failures", error)
        else:
            self.core.learn(known, asked_at)
            if self.core.breaker.open and took_s <= self._deadline_s:
                self.core.breaker.close()
        finally:
            polled, self._polled = self._polled, asyncio.Event()
            polled.set()

    async def _read(self, connection: AbstractConnection) -> tuple[Known, float]:
        """What is known then, and the seconds that the first reply took."""
        polling = poll(self.core.keys, self.core.known)
        command = next(polling)
        asked_at, took_s = time.monotonic(), 0.0
        while True:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                reply = await self._wires.reply(connection, command)
            took_s = took_s or time.monotonic() - asked_at
            try:
                command = polling.send(reply)
            except StopIteration as done:
                return done.value, took_s

    def _hang_up(self) -> None:
        if self._control is not None:
            abort(self._control)
            self._control = None


def _wires(setup: Setup, core: Core) -> AsyncWires | AsyncShards:
    """The connections to the server, or to the Cluster, that the url names."""
    cluster = cluster_url(setup.url)
    if cluster is None:
        return AsyncWires(setup.url, client_name=setup.client_name)
    return AsyncShards(
        cluster,
        core.keys.live,
        deadline_s=setup.deadline_s,
        client_name=setup.client_name,
        lost=core.lost,
    )
