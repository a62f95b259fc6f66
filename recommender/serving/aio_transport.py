"""Connections to a server on asyncio, which are kept ready: `transport` for an event loop."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from recommender.errors import StoreUnavailable
from recommender.serving.connection import POLL_TIMEOUT_S, Address, connection_pool
from recommender.serving.fallbacks import Breaker
from recommender.serving.protocol import ErrorReply, ReplyReader, array_reader, packed
from recommender.serving.state import Command, Reply
from recommender.serving.transport import CHUNK, MAX_CONNECTIONS, READY

KEEP_READY_INTERVAL_S = 0.5
PROBE_INTERVAL_S = 1.0

FailureReport = Callable[[str, BaseException], None]
"""Takes the counter of an event and its error."""


async def wait_async(event: asyncio.Event, until: float) -> bool:
    """Wait until an event is set; False where it is not set by `until`."""
    try:
        async with asyncio.timeout(until - time.monotonic()):
            await event.wait()
    except TimeoutError:
        return False
    return True


class AsyncConnections:
    """The connections of one event loop to one server, as `reader.Connections`.

    Requests take idle connections; only `top_up` connects. Raises: ConfigError for the url.
    """

    event = asyncio.Event
    wait = staticmethod(wait_async)

    def __init__(self, url: str, *, client_name: str) -> None:
        pool = connection_pool(
            url,
            connect_timeout_s=POLL_TIMEOUT_S,
            timeout_s=POLL_TIMEOUT_S,
            client_name=client_name,
        )
        # One timeout around a whole exchange replaces those of redis-py for its parts.
        given = parse_url(url)
        self._connection_class: Any = given.get("connection_class", Connection)
        self._settings: dict[str, Any] = pool.connection_kwargs | {
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": None,
        }
        self.wanted = asyncio.Event()
        self._control: AbstractConnection | None = None
        self._idle: deque[AbstractConnection] = deque()
        self._waiting: deque[asyncio.Future[AbstractConnection]] = deque()
        self._open = 0
        self._closed = False

    def counts(self) -> Mapping[str, int]:
        """The number of open connections."""
        return {"connections": self._open}

    async def connected(self) -> AbstractConnection:
        """Make a connection of the caller's own. Raises: what connecting raises."""
        connection: AbstractConnection = self._connection_class(**self._settings)
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            abort(connection)
            raise
        return connection

    async def connect(self) -> None:
        """Connect for polls, unless that was done. Raises: as `connected`; StoreUnavailable."""
        if self._control is not None:
            return
        connection = await self.connected()
        if self._closed:
            abort(connection)
            raise StoreUnavailable("the connections were closed meanwhile")
        self._control = connection

    async def poll(self, command: Command) -> Reply:
        """Ask over the connection for polls, which is closed if that fails.

        Raises: TimeoutError after `POLL_TIMEOUT_S`; as `exchange`.
        """
        if self._control is None:
            raise StoreUnavailable("not connected")
        reader = array_reader(command)
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await exchange(self._control, packed(command), reader)
        except BaseException:
            self._hang_up()
            raise
        return reader.values

    async def read(self, command: Command, until: float) -> Reply:
        """Ask over an idle connection, which is dropped if that fails.

        Raises: TimeoutError at the deadline; as `exchange`.
        """
        reader = array_reader(command)
        async with asyncio.timeout(until - time.monotonic()):
            await self.exchange(packed(command), reader)
        return reader.values

    async def exchange(self, message: bytes, reader: ReplyReader) -> None:
        """Exchange a message over an idle connection, which is dropped if that fails."""
        connection = await self._taken()
        try:
            await exchange(connection, message, reader)
        except BaseException:
            self._drop(connection)
            raise
        self._give(connection)

    async def top_up(self) -> None:
        """Connect for polls, and for requests. Raises: as `connected`."""
        await self.connect()
        await self.top_up_idle()

    async def top_up_idle(self) -> None:
        """Connect while requests wait or too few connections are ready. Raises: as `connected`."""
        self.wanted.clear()
        while self._open < MAX_CONNECTIONS and (self._open < READY or self._waiting):
            connection = await self.connected()
            self._open += 1
            self._give(connection)

    def close(self) -> None:
        """Close the connections, those in use when they come back."""
        self._closed = True
        self._hang_up()
        while self._idle:
            self._drop(self._idle.pop())

    async def _taken(self) -> AbstractConnection:
        while True:
            connection = self._idle.pop() if self._idle else await self._awaited()
            try:
                if not await connection.can_read():
                    return connection
            except BaseException:
                self._drop(connection)
                raise
            self._drop(connection)

    async def _awaited(self) -> AbstractConnection:
        future: asyncio.Future[AbstractConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.wanted.set()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._give(future.result())
            raise
        finally:
            with suppress(ValueError):
                self._waiting.remove(future)

    def _give(self, connection: AbstractConnection) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        if self._closed:
            self._drop(connection)
        else:
            self._idle.append(connection)

    def _hang_up(self) -> None:
        if self._control is not None:
            abort(self._control)
            self._control = None

    def _drop(self, connection: AbstractConnection) -> None:
        self._open -= 1
        abort(connection)


class AsyncNode:
    """One primary of a Cluster: its connections, its breaker, and the task that keeps them ready.

    A task and connections of its own keep a dead node from delaying the others.
    """

    def __init__(
        self,
        address: Address,
        connections: AsyncConnections,
        *,
        deadline_s: float,
        report: FailureReport,
    ) -> None:
        self.address = address
        self.connections = connections
        self.breaker = Breaker()
        self._deadline_s = deadline_s
        self._report = report
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"recommender-lookup-{address[0]}:{address[1]}"
        )

    def stop(self) -> None:
        """Close the connections and end the task."""
        self._task.cancel()
        self.connections.close()

    def failed(self, event: str, error: BaseException) -> None:
        """Count and report a failure of the node, which may open its breaker."""
        self.breaker.failed()
        host, port = self.address
        reason = str(error) or type(error).__name__
        self._report(event, StoreUnavailable(f"node {host}:{port}: {reason}"))

    async def _run(self) -> None:
        while True:
            try:
                if self.breaker.open:
                    await self._probe()
                await self.connections.top_up_idle()
            except Exception as error:
                self.failed("node_failures", error)
            pause_s = PROBE_INTERVAL_S if self.breaker.open else KEEP_READY_INTERVAL_S
            await self._rest(time.monotonic() + pause_s * random.uniform(0.8, 1.2))

    async def _rest(self, until: float) -> None:
        """Rest until then, or until a request waits for a connection."""
        wanted = self.connections.wanted
        while await wait_async(wanted, until):
            wanted.clear()
            if not self.breaker.open:
                return

    async def _probe(self) -> None:
        connection = await self.connections.connected()
        reader = ReplyReader(1, self.address)
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await exchange(connection, packed(("PING", "probe")), reader)
        finally:
            abort(connection)
        if isinstance(reader.values[0], ErrorReply):
            raise StoreUnavailable(reader.values[0].reason)
        if time.monotonic() - asked_at <= self._deadline_s:
            self.breaker.close()


async def exchange(connection: AbstractConnection, message: bytes, reader: ReplyReader) -> None:
    """Send a message and feed `reader` until it is complete. Raises: RedisError; StoreUnavailable.

    After an exception the connection is out of step and must be closed.
    """
    await connection.send_packed_command([message], check_health=False)
    stream = connection._reader
    while stream is not None and (data := await stream.read(CHUNK)):
        if reader.feed(data):
            return
    raise StoreUnavailable("the server hung up")


def abort(connection: AbstractConnection) -> None:
    """Close a connection at once; a cancelled task can await nothing more."""
    writer = connection._writer
    connection._close()  # type: ignore[no-untyped-call]
    if writer is not None:
        writer.transport.abort()
