"""Two networks with one interface: blocking sockets for threads, and streams of an event loop.

What reads from Redis is written once, as coroutines over a `Network`. Those of `Threads` block and
never suspend, so that `completed` runs them without an event loop.
"""

import asyncio
import select
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from redis.asyncio import connection as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, ConnectionPool

from recommender.errors import StoreUnavailable
from recommender.serving.connection import POLL_TIMEOUT_S
from recommender.serving.protocol import ReplyReader, packed
from recommender.serving.state import Command

CHUNK = 65536
NONE_IDLE = (Empty, asyncio.QueueEmpty)
"""The errors of a queue that is empty."""

Result = TypeVar("Result")


def completed(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never suspends, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    raise RuntimeError(f"{coroutine} suspended")


def left(until: float) -> float:
    """The seconds until then. Raises: StoreUnavailable where none are left."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise StoreUnavailable("deadline passed")
    return seconds


class BlockingLink:
    """A connection to a server, for threads. Raises: what connecting raises.

    After an exception the connection is out of step and must be closed.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        connection.connect()  # type: ignore[no-untyped-call]
        socket = connection._get_socket()
        if socket is None:
            raise StoreUnavailable("no socket")
        self._socket = socket
        self._readable: select.poll | None = None
        if not isinstance(socket, ssl.SSLSocket):
            self._readable = select.poll()
            self._readable.register(socket, select.POLLIN)

    def usable(self) -> bool:
        """Whether the server neither hung up nor sent data that nobody asked for.

        With TLS, records of its own make a socket readable, so only the next request shows it.
        """
        return self._readable is None or not self._readable.poll(0)

    def send(self, message: bytes, until: float) -> None:
        """Send a message before `until`, a monotonic time. Raises: OSError; StoreUnavailable."""
        self._socket.settimeout(left(until))
        self._socket.sendall(message)

    async def receive(self, reader: ReplyReader, until: float) -> None:
        """Feed `reader` until it is complete. Raises: OSError; StoreUnavailable."""
        complete = False
        while not complete:
            self._socket.settimeout(left(until))
            data = self._socket.recv(CHUNK)
            if not data:
                raise StoreUnavailable("the server hung up")
            complete = reader.feed(data)

    async def ask(self, command: Command) -> object:
        """The reply to a command, of any kind. Raises: RedisError."""
        self._connection.send_packed_command([packed(command)], check_health=False)  # type: ignore[no-untyped-call]
        return self._connection.read_response(disable_decoding=True)

    def close(self) -> None:
        """Close the connection; a forked child closes its copy alone."""
        with suppress(OSError):
            self._connection.disconnect()  # type: ignore[no-untyped-call]


class LoopLink:
    """A connection to a server, for an event loop; like `BlockingLink`."""

    def __init__(self, connection: redis_asyncio.AbstractConnection) -> None:
        self._connection = connection

    def usable(self) -> bool:
        """`BlockingLink.usable`; asyncio has no public way to see what has arrived."""
        stream: Any = self._connection._reader
        return not (stream is None or stream.at_eof() or stream._buffer)

    def send(self, message: bytes, until: float) -> None:
        """Begin to send a message. Raises: StoreUnavailable."""
        writer = self._connection._writer
        if left(until) and writer is not None:
            writer.write(message)

    async def receive(self, reader: ReplyReader, until: float) -> None:
        """`BlockingLink.receive`. Raises: also TimeoutError."""
        stream = self._connection._reader
        async with asyncio.timeout(until - time.monotonic()):
            while stream is not None and (data := await stream.read(CHUNK)):
                if reader.feed(data):
                    return
        raise StoreUnavailable("the server hung up")

    async def ask(self, command: Command) -> object:
        """`BlockingLink.ask`. Raises: also TimeoutError."""
        async with asyncio.timeout(POLL_TIMEOUT_S):
            await self._connection.send_packed_command([packed(command)], check_health=False)
            return await self._connection.read_response(disable_decoding=True)

    def close(self) -> None:
        """Close the connection at once; a cancelled task can await nothing more."""
        writer = self._connection._writer
        self._connection._close()  # type: ignore[no-untyped-call]
        if writer is not None:
            writer.transport.abort()


class BlockingEvent(threading.Event):
    """An event for threads."""

    async def wait_until(self, until: float) -> bool:
        """Wait for the event; False where it is not set by `until`, a monotonic time."""
        return self.wait(until - time.monotonic())


class LoopEvent(asyncio.Event):
    """An event of a loop."""

    async def wait_until(self, until: float) -> bool:
        """`BlockingEvent.wait_until`."""
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self.wait()
        except TimeoutError:
            return False


class BlockingQueue(SimpleQueue[BlockingLink]):
    """Idle connections, for threads."""

    async def get_until(self, until: float) -> BlockingLink:
        """Wait for a connection. Raises: StoreUnavailable where there is none by `until`."""
        with suppress(Empty):
            return self.get(timeout=left(until))
        raise StoreUnavailable("no connection was free before the deadline")


class LoopQueue(asyncio.Queue[LoopLink]):
    """Idle connections of a loop."""

    async def get_until(self, until: float) -> LoopLink:
        """`BlockingQueue.get_until`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(left(until)):
                return await self.get()
        raise StoreUnavailable("no connection was free before the deadline")


class Threads:
    """The network of threads."""

    event = BlockingEvent
    queue = BlockingQueue

    async def connect(self, pool: ConnectionPool) -> BlockingLink:
        """Connect with the settings of a pool. Raises: what connecting raises."""
        return BlockingLink(pool.connection_class(**pool.connection_kwargs))

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], name: str
    ) -> Callable[[], object]:
        """Run a coroutine in a daemon thread; returns a way to end it, which threads have not.

        Raises: RuntimeError where the system refuses a thread.
        """
        threading.Thread(target=lambda: completed(run()), name=name, daemon=True).start()
        return lambda: None


class Loop:
    """The network of the event loop that runs."""

    event = LoopEvent
    queue = LoopQueue

    async def connect(self, pool: ConnectionPool) -> LoopLink:
        """Connect with the settings of a pool. Raises: what connecting raises; TimeoutError."""
        # One timeout around a whole exchange replaces those of redis-py for its parts.
        settings = pool.connection_kwargs | {"retry": Retry(NoBackoff(), 0), "socket_timeout": None}
        connection = getattr(redis_asyncio, pool.connection_class.__name__)(**settings)
        link = LoopLink(connection)
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await connection.connect()
        except BaseException:
            link.close()
            raise
        return link

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], name: str
    ) -> Callable[[], object]:
        """Run a coroutine in a task; returns a way to cancel it."""
        return asyncio.get_running_loop().create_task(run(), name=name).cancel


Network = Threads | Loop
Link = BlockingLink | LoopLink
Event = BlockingEvent | LoopEvent
