"""The lookup of a storefront: related items from Redis, and never an exception on a bad day."""

import asyncio
import concurrent.futures
import os
import selectors
import threading
import time
import weakref
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from recommender.core.related import RelatedList
from recommender.errors import StoreUnavailable
from recommender.serving.cluster import AsyncCluster
from recommender.serving.connection import POLL_TIMEOUT_S, cluster_url
from recommender.serving.protocol import ClusterRead
from recommender.serving.reader import (
    LookupSettings,
    Reader,
    checked_item,
    checked_items,
    checked_query,
    completed,
)
from recommender.serving.state import Command, Reply
from recommender.serving.transport import Connections, wait_blocking

INHERITED: list["PollingReader"] = []
"""The readers of parent processes: a forked child must not close their connections."""

Result = TypeVar("Result")


class RelatedItems:
    """The related lists of one shop. Thread-safe, and safe to use on both sides of a fork.

    A background thread keeps connections, pointer and hidden items ready, so that a call costs one
    round trip and ends `deadline_s` after it began. After a failure it answers from its
    `cache_items` newest lists, then from the `snapshot` file, then with best sellers; a status
    says which. The `key` of a call, such as a session id, decides whether a canary is read.

    Raises: ConfigError for a malformed setting. Calls raise TypeError for arguments of a wrong
    type, and nothing else.
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
        self._settings = LookupSettings(url, shop, deadline_s, cache_items, snapshot, client_name)
        self._readers: dict[int, PollingReader] = {}
        self._closed = False
        self._reader()

    def get(
        self,
        item_id: str,
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
    ) -> RelatedList:
        """At most n related items of one item, best first, without those to `exclude`."""
        query = checked_query(placement, n, exclude, min_score=min_score, key=key)
        item, reader = checked_item(item_id), self._reader()
        return reader.core.answer(completed(reader.request((item,), query)), item)

    def get_many(  # noqa: PLR0913
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
        """`get` for each item, in one round trip; with `distinct` no item is in two of the lists.

        Items after the first 100 are answered degraded, without items.
        """
        query = checked_query(placement, n, exclude, min_score=min_score, key=key)
        items, reader = checked_items(item_ids), self._reader()
        request = completed(reader.request(items, query))
        return reader.core.answers(request, items, distinct=distinct)

    def for_items(
        self,
        item_ids: Collection[str],
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        *,
        min_score: float = 0.0,
        key: str = "",
    ) -> RelatedList:
        """One list for a basket: entries of the items' lists by summed score, without the items.

        The list's own item is "". Items after the first 100 are ignored.
        """
        query = checked_query(placement, n, exclude, min_score=min_score, key=key)
        items, reader = checked_items(item_ids), self._reader()
        return reader.core.merged(completed(reader.request(items, query)), items)

    def wait_ready(self, timeout_s: float = 5.0) -> bool:
        """Wait at the start of a process, outside requests, until Redis has been read once.

        Without it, calls in the first milliseconds may be answered degraded, because connecting
        can take longer than their deadline. Returns False where Redis could not be read within
        `timeout_s`; the lookup keeps trying, and can be called all the same.
        """
        return completed(self._reader().wait_ready(timeout_s))

    def stats(self) -> Mapping[str, int]:
        """Counters of this process: answers by status, cache hits, reads, the breaker's state."""
        return self._reader().stats()

    def close(self) -> None:
        """End the thread and its connections; later calls are answered without Redis."""
        self._closed = True
        self._polling_reader().close()

    def _reader(self) -> Reader[threading.Event]:
        return self._polling_reader().reader

    def _polling_reader(self) -> "PollingReader":
        return self._readers.get(os.getpid()) or self._new_reader()

    def _new_reader(self) -> "PollingReader":
        INHERITED.extend(self._readers.values())
        new = PollingReader(self._settings)
        # The first of several threads wins; the readers of the others were never started.
        winner = self._readers.setdefault(os.getpid(), new)
        if winner is new:
            weakref.finalize(self, new.stop).atexit = False
            if self._closed:
                new.stop()
            new.start()
        return winner


class PollingReader:
    """The reader of one process, and the thread that polls for it."""

    def __init__(self, settings: LookupSettings) -> None:
        core = settings.core()
        cluster = cluster_url(settings.url)
        connections: Connections | BlockingCluster
        if cluster is None:
            connections = Connections(settings.url, client_name=settings.client_name)
        else:
            connections = BlockingCluster(AsyncCluster(cluster, settings, core))
        self.reader = Reader(core, connections, deadline_s=settings.deadline_s)
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="recommender-lookup", daemon=True)

    def start(self) -> None:
        """Begin to poll. Where the system refuses a thread, calls are answered without Redis."""
        with suppress(RuntimeError):
            self._thread.start()

    def stop(self) -> None:
        """Let the thread end soon, without waiting for it; a forked child does nothing."""
        if os.getpid() == self._pid:
            self.reader.stop()

    def close(self) -> None:
        """Stop, and wait for the thread as long as a poll may take."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(POLL_TIMEOUT_S)
        self.reader.core.close()

    def _run(self) -> None:
        completed(self.reader.run())


class BlockingCluster:
    """A Cluster for threads: an `AsyncCluster` on an event loop in a daemon thread.

    The coroutines block until the loop has replied, or until their deadline, and never suspend.
    """

    event = threading.Event
    wait = staticmethod(wait_blocking)

    def __init__(self, cluster: AsyncCluster) -> None:
        self.wanted = threading.Event()
        self._cluster = cluster
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()

    async def top_up(self) -> None:
        """`AsyncCluster.top_up`; the first call starts the loop."""
        self._loop = self._loop or self._started_loop()
        self._result(self._cluster.top_up)

    async def poll(self, command: Command) -> Reply:
        """`AsyncCluster.poll`."""
        return self._result(self._cluster.poll, command)

    async def read(self, command: Command, until: float) -> Reply:
        """`AsyncCluster.read`; at the deadline, the values that have arrived."""
        read = ClusterRead(command[1:])
        filled = self._submitted(self._cluster.fill, read, until)
        with suppress(TimeoutError, concurrent.futures.CancelledError):
            filled.result(until - time.monotonic())
        return list(read.values)

    def counts(self) -> Mapping[str, int]:
        """`AsyncCluster.counts`."""
        return self._cluster.counts()

    def close(self) -> None:
        """Close all connections, and end the loop and its thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)

    def _result(self, call: Callable[..., Coroutine[Any, Any, Result]], *args: object) -> Result:
        """The result of a call on the loop, which has timeouts of its own."""
        submitted = self._submitted(call, *args)
        try:
            return submitted.result(3 * POLL_TIMEOUT_S)
        finally:
            submitted.cancel()

    def _submitted(
        self, call: Callable[..., Coroutine[Any, Any, Result]], *args: object
    ) -> "concurrent.futures.Future[Result]":
        if self._loop is None or self._loop.is_closed():
            raise StoreUnavailable("the Cluster is not connected")
        return asyncio.run_coroutine_threadsafe(call(*args), self._loop)

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        """Start the thread and its loop. Raises: RuntimeError where the system refuses a thread.

        The loop uses poll, because a forked child would share the state of epoll with its parent.
        It resolves names in daemon threads, so that a resolver that hangs does not delay the exit.
        """
        loop = asyncio.SelectorEventLoop(selectors.PollSelector())
        loop.run_in_executor = partial(_in_daemon_thread, loop)  # type: ignore[assignment, method-assign]
        name = "recommender-lookup-cluster"
        thread = threading.Thread(target=self._run, args=(loop,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            loop.close()
            raise
        return loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_until_complete(self._until_ended())
        finally:
            loop.close()

    async def _until_ended(self) -> None:
        await self._ended.wait()
        self._cluster.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports close in the next iteration


def _in_daemon_thread(
    loop: asyncio.AbstractEventLoop, _executor: object, call: Callable[..., Result], *args: object
) -> "asyncio.Future[Result]":
    future: concurrent.futures.Future[Result] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            future.set_result(call(*args))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=work, name="recommender-lookup-resolver", daemon=True).start()
    return asyncio.wrap_future(future, loop=loop)
