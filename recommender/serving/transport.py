"""One round trip to Redis within a deadline: connections, and the replies that lookups get.

redis-py connects, with its TLS and its handshake. It then applies a timeout to each recv alone,
so that a reply which dribbles in never ends; here one deadline bounds the whole exchange.
"""

import select
import ssl
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from redis.connection import AbstractConnection

from recommender.errors import StoreUnavailable
from recommender.serving.connection import connection_pool
from recommender.serving.known import Command, Reply

CHUNK = 65536
MAX_BYTES = 64 * 2**20
"""Of one value. Redis allows 512 MiB; a related list has a few kB."""
MAX_LINE = 1024
MAX_CONNECTIONS = 128
READY = 2
"""Idle connections that are kept ready."""


def packed(command: Command) -> bytes:
    """Write a command as RESP."""
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        raw = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def require_answer(command: Command, reply: Reply) -> None:
    """Refuse a reply to another command. Raises: StoreUnavailable."""
    if command[0] == "MGET" and len(reply) != len(command) - 1:
        raise StoreUnavailable(f"{len(reply)} values for {len(command) - 1} keys")


class ReplyReader:
    """Takes one reply in RESP2 as it arrives: an array of strings and nils, or an error."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self._rest = b""
        self._missing = -1

    def feed(self, data: bytes) -> bool:
        """Take what arrived; True once the reply is complete.

        Raises: StoreUnavailable for an error, another kind of reply, or bytes behind its end.
        """
        if self._rest:
            data = self._rest + data
        place = 0
        if self._missing < 0:
            header = _header(data, 0, b"*")
            if header is None:
                self._rest = data
                return False
            self._missing, place = header
        place = self._take(data, place)
        self._rest = data[place:]
        if self._rest and not self._missing:
            raise StoreUnavailable(f"bytes behind a reply: {self._rest!r:.80}")
        return not self._missing

    def _take(self, data: bytes, place: int) -> int:
        while self._missing:
            header = _header(data, place, b"$")
            if header is None:
                break
            size, start = header
            stop = start + size
            if size < 0:
                self.values.append(None)
                place = start
            elif len(data) < stop + 2:
                break
            else:
                self.values.append(data[start:stop])
                place = stop + 2
            self._missing -= 1
        return place


def _header(data: bytes, place: int, kind: bytes) -> tuple[int, int] | None:
    """The number that a line of `kind` holds and where the next begins, None before its end."""
    end = data.find(b"\r\n", place)
    if end < 0:
        if len(data) - place > MAX_LINE:
            raise StoreUnavailable(f"malformed reply {data[place : place + 80]!r}")
        return None
    number = data[place + 1 : end]
    if data[place : place + 1] == kind:
        if number.isdigit() and len(number) < 10 and int(number) <= MAX_BYTES:
            return int(number), end + 2
        if number == b"-1" and kind == b"$":
            return -1, end + 2
    raise StoreUnavailable(f"refused or malformed reply {data[place : min(end, place + 160)]!r}")


class Wire:
    """One connection, ready to ask. Raises: what connecting raises."""

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
        """Whether the server neither hung up nor sent what nobody asked for.

        With TLS that shows at the next question only: its own records make a socket readable.
        """
        return self._readable is None or not self._readable.poll(0)

    def ask(self, command: bytes, until: float) -> list[bytes | None]:
        """Send one command and take its reply, all before `until` by the monotonic clock.

        After an exception the connection is out of step and must be closed. Raises: OSError;
        StoreUnavailable.
        """
        socket = self._socket
        socket.settimeout(_left(until))
        socket.sendall(command)
        reader = ReplyReader()
        while True:
            socket.settimeout(_left(until))
            data = socket.recv(CHUNK)
            if not data:
                raise StoreUnavailable("the server hung up")
            if reader.feed(data):
                return reader.values

    def close(self) -> None:
        """Close the connection; in a forked child without the parent's noticing."""
        with suppress(OSError):
            self._connection.disconnect()  # type: ignore[no-untyped-call]


class Wires:
    """The connections of one process. Requests take idle ones; only `top_up` connects.

    `wanted` is set when a request finds none idle. Raises: ConfigError for the url.
    """

    def __init__(self, url: str, *, timeout_s: float, client_name: str) -> None:
        self._pool = connection_pool(
            url, connect_timeout_s=timeout_s, timeout_s=timeout_s, client_name=client_name
        )
        self.wanted = threading.Event()
        self._idle: SimpleQueue[Wire] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        self._waiting = 0
        self._closed = False

    def connected(self) -> Wire:
        """Connect outside the pool. Raises: what connecting raises."""
        return Wire(self._pool.connection_class(**self._pool.connection_kwargs))

    def call(self, command: Command, until: float) -> list[bytes | None]:
        """Ask over an idle connection, which does not come back where asking fails.

        Raises: OSError; StoreUnavailable.
        """
        message = packed(command)
        wire = self._taken(until)
        try:
            reply = wire.ask(message, until)
            require_answer(command, reply)
        except BaseException:
            self._drop(wire)
            raise
        self._give(wire)
        return reply

    def top_up(self) -> None:
        """Connect while requests wait in vain or too few are ready. Raises: as `connected`."""
        self.wanted.clear()
        while not self._closed and self._short():
            wire = self.connected()
            with self._lock:
                self._open += 1
            self._give(wire)

    def sweep(self) -> None:
        """Close the idle connections that broke."""
        for _ in range(self._idle.qsize()):
            try:
                wire = self._idle.get_nowait()
            except Empty:
                return
            if wire.usable():
                self._give(wire)
            else:
                self._drop(wire)

    def close(self) -> None:
        """Close the idle connections now and those in use when they come back."""
        self._closed = True
        while True:
            try:
                self._drop(self._idle.get_nowait())
            except Empty:
                return

    def _short(self) -> bool:
        with self._lock:
            if self._open >= MAX_CONNECTIONS:
                return False
            return self._open < READY or (self._waiting > 0 and self._idle.empty())

    def _taken(self, until: float) -> Wire:
        while True:
            try:
                wire = self._idle.get_nowait()
            except Empty:
                wire = self._awaited(until)
            if wire.usable():
                return wire
            self._drop(wire)

    def _awaited(self, until: float) -> Wire:
        with self._lock:
            self._waiting += 1
        self.wanted.set()
        try:
            return self._idle.get(timeout=_left(until))
        except Empty:
            raise StoreUnavailable("no connection was free before the deadline") from None
        finally:
            with self._lock:
                self._waiting -= 1

    def _give(self, wire: Wire) -> None:
        self._idle.put(wire)
        if self._closed:
            self.close()

    def _drop(self, wire: Wire) -> None:
        with self._lock:
            self._open -= 1
        wire.close()


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise StoreUnavailable("deadline passed")
    return left
