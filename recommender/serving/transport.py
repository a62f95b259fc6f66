"""One round trip to a server within one deadline, over connections that are kept ready.

redis-py connects, with TLS and the handshake. It applies its timeouts to each recv alone, so that a
reply that trickles in never ends. Here one deadline bounds the whole exchange; a `get` takes
0.93 times as long as a bare GET with redis-py (docs/speed.md).
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from recommender.errors import StoreUnavailable
from recommender.serving.connection import POLL_TIMEOUT_S, Address, connection_pool
from recommender.serving.fallbacks import Breaker
from recommender.serving.network import NONE_IDLE, Link, Network
from recommender.serving.protocol import ReplyReader, array_reader, packed
from recommender.serving.state import Command, Reply

MAX_CONNECTIONS = 128
READY = 2
"""Idle connections that are kept ready."""
KEEP_READY_INTERVAL_S = 0.5
PROBE_INTERVAL_S = 1.0

FailureReport = Callable[[str, BaseException], None]
"""Takes the counter of an event and its error."""


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
            raise StoreUnavailable("the connections were closed meanwhile")
        self._control = link

    async def poll(self, command: Command) -> Reply:
        """Ask over the connection for polls, which is closed if that fails.

        Raises: as `Link.send` and `Link.receive`.
        """
        if self._control is None:
            raise StoreUnavailable("not connected")
        reader, until = array_reader(command), time.monotonic() + POLL_TIMEOUT_S
        try:
            self._control.send(packed(command), until)
            await self._control.receive(reader, until)
        except BaseException:
            self._hang_up()
            raise
        return reader.values

    async def read(self, command: Command, until: float) -> Reply:
        """Ask over an idle connection. Raises: as `awaited`, `send` and `finish`."""
        reader = array_reader(command)
        link = self.take_idle() or await self.awaited(until)
        self.send(link, packed(command), until)
        await self.finish(link, reader, until)
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
        """Take the next connection that is ready. Raises: StoreUnavailable."""
        with self._lock:
            self._waiting += 1
        self.wanted.set()
        link: Link
        try:
            while not (link := await self._idle.get_until(until)).usable():
                self.drop(link)
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
        except BaseException:
            self.drop(link)
            raise
        self.give(link)

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
        while not self._closed and self._short():
            link = await self.connected()
            with self._lock:
                self._open += 1
            self.give(link)

    def close(self) -> None:
        """Close the connections, those in use when they come back."""
        self._closed = True
        self._hang_up()
        self._close_idle()

    def give(self, link: Link) -> None:
        """Give a connection back that is in step."""
        self._idle.put_nowait(link)
        if self._closed:
            self._close_idle()

    def drop(self, link: Link) -> None:
        """Close a connection that was taken."""
        with self._lock:
            self._open -= 1
        link.close()

    def _short(self) -> bool:
        with self._lock:
            if self._open >= MAX_CONNECTIONS:
                return False
            return self._open < READY or (self._waiting > 0 and self._idle.empty())

    def _close_idle(self) -> None:
        with suppress(*NONE_IDLE):
            while True:
                self.drop(self._idle.get_nowait())

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


class Node:
    """One primary of a Cluster: its connections, its breaker, and what keeps them ready.

    A thread, or task, and connections of its own keep a dead node from delaying the others.
    """

    def __init__(
        self,
        address: Address,
        connections: Connections,
        network: Network,
        *,
        deadline_s: float,
        report: FailureReport,
    ) -> None:
        self.address = address
        self.connections = connections
        self.breaker = Breaker()
        self._deadline_s = deadline_s
        self._report = report
        self._stopped = False
        self._cancel = network.start(self._run, f"recommender-lookup-{address[0]}:{address[1]}")

    def stop(self) -> None:
        """Close the connections and end the thread or task."""
        self._stopped = True
        self._cancel()
        self.connections.close()
        self.connections.wanted.set()

    def failed(self, event: str, error: BaseException) -> None:
        """Count and report a failure of the node, which may open its breaker."""
        self.breaker.failed()
        host, port = self.address
        reason = str(error) or type(error).__name__
        self._report(event, StoreUnavailable(f"node {host}:{port}: {reason}"))

    async def _run(self) -> None:
        while not self._stopped:
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
        while not self._stopped and await wanted.wait_until(until):
            wanted.clear()
            if not self.breaker.open:
                return

    async def _probe(self) -> None:
        link = await self.connections.connected()
        asked_at = time.monotonic()
        try:
            await link.ask(("PING", "probe"))
        finally:
            link.close()
        if time.monotonic() - asked_at <= self._deadline_s:
            self.breaker.close()
