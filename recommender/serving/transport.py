"""One round trip to a server within a deadline, over connections that are kept ready.

redis-py connects, with its TLS and its handshake. It then applies a timeout to each recv alone,
so that a reply which dribbles in never ends; here one deadline bounds the whole exchange.
"""

import select
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from redis.connection import AbstractConnection

from recommender.errors import StoreUnavailable
from recommender.serving.connection import connection_pool
from recommender.serving.polled_state import Command, Reply
from recommender.serving.resp import ReplyReader, packed, require_answer

CHUNK = 65536
MAX_CONNECTIONS = 128
READY = 2
"""Idle connections that are kept ready."""


class Feeding(Protocol):
    """Takes replies as they arrive."""

    def feed(self, data: bytes) -> bool:
        """Take what arrived; True once it is complete."""


class Wire:
    """One connection, ready to ask. Raises: what connecting raises."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        connection.connect()  # type: ignore[no-untyped-call]
        socket = connection._get_socket()
        if socket is None:
            raise StoreUnavailable("no socket")
        self.socket = socket
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
        reader = ReplyReader()
        self.exchange(command, reader, until)
        return reader.values

    def exchange(self, message: bytes, reader: Feeding, until: float) -> None:
        """Send a message and feed `reader` until that is complete. Raises: as `ask`."""
        socket = self.socket
        socket.settimeout(left(until))
        socket.sendall(message)
        while True:
            socket.settimeout(left(until))
            data = socket.recv(CHUNK)
            if not data:
                raise StoreUnavailable("the server hung up")
            if reader.feed(data):
                return

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

    def reply(self, wire: Wire, command: Command, until: float) -> Reply:
        """The reply to a command of a poll. Raises: as `Wire.ask`."""
        reply = wire.ask(packed(command), until)
        require_answer(command, reply)
        return reply

    def counts(self) -> Mapping[str, int]:
        """How many connections are open."""
        return {"connections": self._open}

    def call(self, command: Command, until: float) -> list[bytes | None]:
        """Ask over an idle connection, which does not come back where asking fails.

        Raises: OSError; StoreUnavailable.
        """
        message = packed(command)
        wire = self.taken(until)
        try:
            reply = wire.ask(message, until)
            require_answer(command, reply)
        except BaseException:
            self.drop(wire)
            raise
        self.give(wire)
        return reply

    def top_up(self) -> None:
        """Connect while requests wait in vain or too few are ready. Raises: as `connected`."""
        self.wanted.clear()
        while not self._closed and self._short():
            wire = self.connected()
            with self._lock:
                self._open += 1
            self.give(wire)

    def sweep(self) -> None:
        """Close the idle connections that broke."""
        for _ in range(self._idle.qsize()):
            try:
                wire = self._idle.get_nowait()
            except Empty:
                return
            if wire.usable():
                self.give(wire)
            else:
                self.drop(wire)

    def close(self) -> None:
        """Close the idle connections now and those in use when they come back."""
        self._closed = True
        while True:
            try:
                self.drop(self._idle.get_nowait())
            except Empty:
                return

    def _short(self) -> bool:
        with self._lock:
            if self._open >= MAX_CONNECTIONS:
                return False
            return self._open < READY or (self._waiting > 0 and self._idle.empty())

    def idle(self) -> Wire | None:
        """An idle connection, None where there is none. It must come back by `give` or `drop`."""
        while True:
            try:
                wire = self._idle.get_nowait()
            except Empty:
                return None
            if wire.usable():
                return wire
            self.drop(wire)

    def taken(self, until: float) -> Wire:
        """As `idle`, but waits for one. Raises: StoreUnavailable."""
        while True:
            wire = self.idle()
            if wire is not None:
                return wire
            wire = self._awaited(until)
            if wire.usable():
                return wire
            self.drop(wire)

    def give(self, wire: Wire) -> None:
        """Take back a connection that is in step."""
        self._idle.put(wire)
        if self._closed:
            self.close()

    def drop(self, wire: Wire) -> None:
        """Close a connection that is not."""
        with self._lock:
            self._open -= 1
        wire.close()

    def _awaited(self, until: float) -> Wire:
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


def left(until: float) -> float:
    """The seconds until then. Raises: StoreUnavailable where none are left."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise StoreUnavailable("deadline passed")
    return seconds
