"""One round trip to a server within one deadline, over connections that are kept ready.

redis-py connects, with TLS and the handshake. It applies its timeouts to each recv alone, so that a
reply that trickles in never ends. Here one deadline bounds the whole exchange; a `get` takes
0.93 times as long as a bare GET with redis-py (docs/speed.md).
"""

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from recommender.serving.connection import POLL_TIMEOUT_S, connection_pool
from recommender.serving.fallbacks import Breaker
from recommender.serving.network import ARRIVED_S, NONE_IDLE, Link, LoopLink, Network
from recommender.serving.protocol import ReplyReader, array_reader, packed
from recommender.serving.state import Command, NotAsked, Refused, Reply

MAX_CONNECTIONS = 128
READY = 2
"""Idle connections that are kept ready."""
AT_ONCE = 8
"""Connections that are made at once, so that a busy loop takes few turns for many."""
SETTLE_S = 0.002


class Connections:
    """The connections of one process, or event loop, to one server.

    Requests take idle connections; only `top_up` connects. `wanted` is set when a request finds
    none. Raises: ConfigError for the url.
    """

    def __init__(self, url: str, network: Network, *, client_name: str) -> None:
        self._pool = connection_pool(
            url,
            connect_timeout_s=POLL_TIMEOUT_S,
            timeout_s=POLL_TIMEOUT_S,
            client_name=client_name,
        )
        self._network = network
        self.wanted = network.event()
        self._idle: Any = network.queue()
        self._control: Link | None = None
        self._lock = threading.Lock()
        self._open = 0
        self._waiting = 0
        self._vain = Breaker()
        self._owing: set[LoopLink] = set()
        self._closed = False

    def counts(self) -> Mapping[str, int]:
        """The number of open connections."""
        return {"connections": self._open}

    async def connected(self) -> Link:
        """Make a connection of the caller's own. Raises: what connecting raises."""
        return await self._network.connect(self._pool)

    async def connect(self) -> None:
        """Connect for polls, unless that was done. Raises: as `connected`; StoreUnavailable."""
        if self._control is not None:
            return
        link = await self.connected()
        if self._closed:
            link.close()
            raise NotAsked("the connections were closed meanwhile")
        self._control = link

    async def poll(self, command: Command) -> Reply:
        """Ask over the connection for polls, which is closed if that fails.

        Raises: Refused; as `Link.send` and `Link.receive`.
        """
        if self._control is None:
            raise NotAsked("not connected")
        reader, until = array_reader(command), time.monotonic() + POLL_TIMEOUT_S
        try:
            self._control.send(packed(command), until)
            await self._control.receive(reader, until)
        except Refused:
            raise
        except BaseException:
            self._hang_up()
            raise
        return reader.values

    async def read(self, command: Command, until: float) -> Reply:
        """Ask over an idle connection. Raises: as `awaited`, `send` and `finish`."""
        reader = array_reader(command)
        began = asked_at = time.monotonic()
        link = self.take_idle()
        if link is None:
            link = await self.awaited(until)
            asked_at = time.monotonic()
        last = max(until, asked_at + ARRIVED_S)
        self.send(link, packed(command), last)
        try:
            await self.finish(link, reader, last)
        except TimeoutError as error:
            if reader.oversized:
                return reader.so_far()
            raise judged(error, asked_at, began, until) from error
        return reader.values

    def take_idle(self) -> Link | None:
        """Take a connection if one is ready."""
        link: Link
        try:
            while not (link := self._idle.get_nowait()).usable():
                self.drop(link)
        except NONE_IDLE:
            return None
        return link

    async def awaited(self, until: float) -> Link:
        """Take the next connection that is ready.

        While there is none at all, only the first few requests wait. Raises: NotAsked.
        """
        self.wanted.set()
        if self._vain.open and not self._open:
            raise NotAsked("there is no connection")
        with self._lock:
            self._waiting += 1
        link: Link
        try:
            while not (link := await self._idle.get_until(until)).usable():
                self.drop(link)
        except NotAsked:
            self._vain.failed()
            raise
        finally:
            with self._lock:
                self._waiting -= 1
        return link

    def send(self, link: Link, message: bytes, until: float) -> None:
        """Send a message over a connection that was taken, which must then be finished or dropped.

        Raises: as `Link.send`.
        """
        try:
            link.send(message, until)
        except BaseException:
            self.drop(link)
            raise

    async def finish(self, link: Link, reader: ReplyReader, until: float) -> None:
        """Receive the reply to what was sent; drop the connection if that fails.

        Raises: as `Link.receive`.
        """
        try:
            await link.receive(reader, until)
        except asyncio.CancelledError:
            assert isinstance(link, LoopLink)
            self._owing.add(link)
            self._settle(link, reader, until)
            raise
        except BaseException:
            self.drop(link)
            raise
        self.give(link)

    def _settle(self, link: LoopLink, reader: ReplyReader, until: float) -> None:
        """Give back the connection of a cancelled question once its reply is here, else drop it.

        A new connection would take several turns of a busy loop. No task is needed, which could
        not be made while the loop ends.
        """
        if link not in self._owing:
            return
        try:
            arrived = link.take_arrived(reader)
            if not arrived and time.monotonic() < until:
                loop = asyncio.get_running_loop()
                loop.call_later(SETTLE_S, self._settle, link, reader, until)
                return
        except Exception:
            arrived = False
        self._owing.discard(link)
        (self.give if arrived else self.drop)(link)

    async def top_up(self) -> None:
        """Connect for polls, and for requests. Raises: as `connected`."""
        await self.connect()
        await self.top_up_idle()

    async def top_up_idle(self) -> None:
        """Drop idle connections that broke; connect while requests wait or too few are ready.

        Raises: as `connected`.
        """
        self.wanted.clear()
        with suppress(*NONE_IDLE):
            for _ in range(self._idle.qsize()):
                link = self._idle.get_nowait()
                (self.give if link.usable() else self.drop)(link)
        while not self._closed and (missing := self._missing()):
            await self._network.together([self._connect() for _ in range(missing)])

    def open(self) -> None:
        """Allow connections, also after `close`."""
        self._closed = False

    def close(self) -> None:
        """Close the connections, those in use when they come back."""
        self._closed = True
        self._hang_up()
        self._close_idle()
        while self._owing:
            self.drop(self._owing.pop())

    def give(self, link: Link) -> None:
        """Give a connection back that is in step."""
        if self._vain.open:
            self._vain.close()
        self._vain.succeeded()
        self._idle.put_nowait(link)
        if self._closed:
            self._close_idle()

    def drop(self, link: Link) -> None:
        """Close a connection that was taken."""
        with self._lock:
            self._open -= 1
        link.close()

    async def _connect(self) -> None:
        link = await self.connected()
        with self._lock:
            self._open += 1
        self.give(link)

    def _missing(self) -> int:
        """How many connections to make next: one for each request that waits, a few at once."""
        with self._lock:
            waiting = self._waiting if self._idle.empty() else 0
            missing = max(READY - self._open, waiting)
            return max(min(missing, MAX_CONNECTIONS - self._open, AT_ONCE), 0)

    def _close_idle(self) -> None:
        with suppress(*NONE_IDLE):
            while True:
                self.drop(self._idle.get_nowait())

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


def judged(
    error: TimeoutError, asked_at: float, began: float, until: float
) -> TimeoutError | NotAsked:
    """The time-out of a question, unless a wait for a connection took most of its time."""
    if asked_at - began > (until - began) / 2:
        return NotAsked("most of the time was spent on waiting for a connection")
    return error
