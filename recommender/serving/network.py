"""Two networks with one interface: blocking sockets for threads, and streams of an event loop.

What reads from Redis is written once, as coroutines over a `Network`. Those of `Threads` block and
never suspend, so that `completed` runs them without an event loop.
"""

import asyncio
import select
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
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
from recommender.serving.state import Command, NotAsked

CHUNK = 65536
LATE_S = 0.005
"""A time-out of an event loop that comes later than this says that the loop was busy."""
ARRIVED_S = 0.01
"""After the deadline, what is left to read a reply that arrived while this process was busy."""
LOOK_S = 0.001
LOOKS = 3
"""How often a busy loop looks again for what may have arrived."""
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
    """The seconds until then. Raises: NotAsked where none are left."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise NotAsked("deadline passed before the server was asked")
    return seconds


async def in_time(waiting: Callable[[], Awaitable[Result]], until: float) -> Result:
    """Await until then, and a moment longer where the loop was busy when the time was up.

    What ended the wait may have come meanwhile. `waiting` must be safe to cancel and to begin
    again. Raises: TimeoutError.
    """
    for look in range(LOOKS):
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await waiting()
        except TimeoutError:
            if look == LOOKS - 1 or time.monotonic() - until < LATE_S:
                raise
            until = time.monotonic() + ARRIVED_S
    raise TimeoutError


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
        seconds = until - time.monotonic()
        while True:
            # Where this thread was held up until now, the reply may have arrived meanwhile.
            self._socket.settimeout(max(seconds, LOOK_S))
            data = self._socket.recv(CHUNK)
            if not data:
                raise StoreUnavailable("the server hung up")
            if reader.feed(data):
                return
            seconds = until - time.monotonic()
            if seconds <= 0:
                raise TimeoutError("deadline passed before the reply was complete")

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

        async def read() -> None:
            while stream is not None and (data := await stream.read(CHUNK)):
                if reader.feed(data):
                    return
            raise StoreUnavailable("the server hung up")

        await in_time(read, until)

    def take_arrived(self, reader: ReplyReader) -> bool:
        """Feed `reader` what has arrived; True once it is complete. Raises: StoreUnavailable."""
        stream: Any = self._connection._reader
        while stream._buffer:
            if reader.feed(completed(stream.read(CHUNK))):
                return True
        if stream.at_eof():
            raise StoreUnavailable("the server hung up")
        return False

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
            return await in_time(self.wait, until)
        except TimeoutError:
            return False


class BlockingQueue(SimpleQueue[BlockingLink]):
    """Idle connections, for threads."""

    async def get_until(self, until: float) -> BlockingLink:
        """Wait for a connection. Raises: NotAsked where there is none by `until`."""
        with suppress(Empty):
            return self.get(timeout=left(until))
        raise NotAsked("no connection was free before the deadline")


class LoopQueue(asyncio.Queue[LoopLink]):
    """Idle connections of a loop."""

    async def get_until(self, until: float) -> LoopLink:
        """`BlockingQueue.get_until`."""
        with suppress(TimeoutError):
            return await in_time(self.get, until)
        raise NotAsked("no connection was free before the deadline")


class Threads:
    """The network of threads."""

    event = BlockingEvent
    queue = BlockingQueue

    async def connect(self, pool: ConnectionPool) -> BlockingLink:
        """Connect with the settings of a pool. Raises: what connecting raises."""
        return BlockingLink(pool.connection_class(**pool.connection_kwargs))

    async def together(self, coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Run coroutines, one after the other. Raises: what the first that fails raises."""
        waiting = list(coroutines)
        try:
            while waiting:
                await waiting.pop(0)
        finally:
            for coroutine in waiting:
                coroutine.close()

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

    async def together(self, coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Run coroutines at the same time. Raises: what the first that fails raises."""
        await asyncio.gather(*coroutines)

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], name: str
    ) -> Callable[[], object]:
        """Run a coroutine in a task; returns a way to cancel it."""
        return asyncio.get_running_loop().create_task(run(), name=name).cancel


Network = Threads | Loop
Link = BlockingLink | LoopLink
Event = BlockingEvent | LoopEvent
