"""One round trip to a server within one deadline, over connections that are kept ready.

redis-py connects, with TLS and the handshake. It applies its timeouts to each recv alone, so that a
reply that trickles in never ends. Here one deadline bounds the whole exchange; a `get` takes
0.93 times as long as a bare GET with redis-py (docs/speed.md).
"""

import select
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue

from redis.connection import AbstractConnection

from recommender.errors import StoreUnavailable
from recommender.serving.connection import POLL_TIMEOUT_S, connection_pool
from recommender.serving.protocol import array_reader, packed
from recommender.serving.state import Command, Reply

CHUNK = 65536
MAX_CONNECTIONS = 128
READY = 2
"""Idle connections that are kept ready."""


class DeadlineConnection:
    """One connection to a server. Raises: what connecting raises."""

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

    def ask(self, command: Command, until: float) -> Reply:
        """Send one command and read its reply, all before `until` by the monotonic clock.

        After an exception the connection is out of step and must be closed. Raises: OSError;
        StoreUnavailable.
        """
        socket, reader = self._socket, array_reader(command)
        socket.settimeout(left(until))
        socket.sendall(packed(command))
        complete = False
        while not complete:
            socket.settimeout(left(until))
            data = socket.recv(CHUNK)
            if not data:
                raise StoreUnavailable("the server hung up")
            complete = reader.feed(data)
        return reader.values

    def close(self) -> None:
        """Close the connection; a forked child closes its copy alone."""
        with suppress(OSError):
            self._connection.disconnect()  # type: ignore[no-untyped-call]


async def wait_blocking(event: threading.Event, until: float) -> bool:
    """Block until an event is set; False where it is not set by `until`."""
    return event.wait(until - time.monotonic())


class Connections:
    """The connections of one process to one server, as `reader.Connections`.

    Requests take idle connections; only `top_up` connects. The coroutines block and never suspend.
    Raises: ConfigError for the url.
    """

    event = threading.Event
    wait = staticmethod(wait_blocking)

    def __init__(self, url: str, *, client_name: str) -> None:
        self._pool = connection_pool(
            url,
            connect_timeout_s=POLL_TIMEOUT_S,
            timeout_s=POLL_TIMEOUT_S,
            client_name=client_name,
        )
        self.wanted = threading.Event()
        self._control: DeadlineConnection | None = None
        self._idle: SimpleQueue[DeadlineConnection] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        self._waiting = 0
        self._closed = False

    async def poll(self, command: Command) -> Reply:
        """Ask over the connection for polls. Raises: as `DeadlineConnection.ask`."""
        if self._control is None:
            raise StoreUnavailable("not connected")
        try:
            return self._control.ask(command, time.monotonic() + POLL_TIMEOUT_S)
        except BaseException:
            self._hang_up()
            raise

    async def read(self, command: Command, until: float) -> Reply:
        """Ask over an idle connection, which is dropped if asking fails.

        Raises: OSError; StoreUnavailable.
        """
        connection = self._taken(until)
        try:
            reply = connection.ask(command, until)
        except BaseException:
            self._drop(connection)
            raise
        self._give(connection)
        return reply

    async def top_up(self) -> None:
        """Drop idle connections that broke; connect for polls, and for requests.

        Raises: what connecting raises.
        """
        self.wanted.clear()
        self._control = self._control or self._connected()
        with suppress(Empty):
            for _ in range(self._idle.qsize()):
                connection = self._idle.get_nowait()
                (self._give if connection.usable() else self._drop)(connection)
        while not self._closed and self._short():
            connection = self._connected()
            with self._lock:
                self._open += 1
            self._give(connection)

    def counts(self) -> Mapping[str, int]:
        """The number of open connections."""
        return {"connections": self._open}

    def close(self) -> None:
        """Close the connections, those in use when they come back; only after the last poll."""
        self._closed = True
        self._hang_up()
        self._close_idle()

    def _connected(self) -> DeadlineConnection:
        return DeadlineConnection(self._pool.connection_class(**self._pool.connection_kwargs))

    def _short(self) -> bool:
        with self._lock:
            if self._open >= MAX_CONNECTIONS:
                return False
            return self._open < READY or (self._waiting > 0 and self._idle.empty())

    def _taken(self, until: float) -> DeadlineConnection:
        while True:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._awaited(until)
            if connection.usable():
                return connection
            self._drop(connection)

    def _awaited(self, until: float) -> DeadlineConnection:
        with self._lock:
            self._waiting += 1
        self.wanted.set()
        try:
            return self._idle.get(timeout=left(until))
        except Empty:
            raise StoreUnavailable("no connection was free before the deadline") from None
        finally:
            with self._lock:
                self._waiting -= 1

    def _give(self, connection: DeadlineConnection) -> None:
        self._idle.put(connection)
        if self._closed:
            self._close_idle()

    def _close_idle(self) -> None:
        with suppress(Empty):
            while True:
                self._drop(self._idle.get_nowait())

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def _drop(self, connection: DeadlineConnection) -> None:
        with self._lock:
            self._open -= 1
        connection.close()


def left(until: float) -> float:
    """The seconds until then. Raises: StoreUnavailable where none are left."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise StoreUnavailable("deadline passed")
    return seconds
