"""Reading from the primary that Redis Sentinels name: their address, asked for in the background.

Threads and asyncio share this module; the `Network` is what differs.
"""

import random
import time
from collections.abc import Callable, Mapping

from recommender.errors import StoreUnavailable
from recommender.serving.connection import POLL_TIMEOUT_S
from recommender.serving.network import Link, Network
from recommender.serving.state import Command, NotAsked, Reply
from recommender.serving.transport import Connections
from recommender.serving.urls import Address, SentinelUrl

FOLLOW_INTERVAL_S = 1.0
"""How often the Sentinels are asked for the primary; a failure asks them at once."""
PAUSE_S = 0.25
"""The least time between two questions."""


class Primary:
    """The connections of one process, or event loop, to the primary, like `Connections`.

    A thread, or task, asks the Sentinels, so that no request waits for them. Where the primary is
    another one, the next `top_up` leaves the old one. Raises: ConfigError for the url.
    """

    def __init__(
        self,
        url: SentinelUrl,
        network: Network,
        *,
        client_name: str,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self.wanted = network.event()
        self._url = url
        self._network = network
        self._client_name = client_name
        self._report = report
        self._order = list(url.sentinels)
        self._asked: tuple[Address, Link] | None = None
        self._named: Address | None = None
        self._used: Address | None = None
        self._connections = self._connections_to(url.sentinels[0])
        self._sentinels = {
            address: Connections(url.sentinel(address), network, client_name=client_name)
            for address in url.sentinels
        }
        self._tried = network.event()
        self._outdated = network.event()
        self._ended = network.event()
        self._cancel: Callable[[], object] | None = None

    async def top_up(self) -> None:
        """Connect to the primary. Raises: StoreUnavailable; what connecting raises."""
        if self._cancel is None:
            self._outdated.set()
            self._cancel = self._network.start(self._run, "recommender-lookup-sentinels")
        await self._tried.wait_until(time.monotonic() + POLL_TIMEOUT_S)
        if self._named is None:
            raise StoreUnavailable(f"no Sentinel names the primary of {self._url.service!r}")
        if self._named != self._used:
            # Nobody else uses the connection for polls, which this closes, than who calls `top_up`.
            self._connections.close()
            self._used = self._named
            self._connections = self._connections_to(self._used)
        try:
            await self._connections.top_up()
        except Exception:
            self._outdated.set()
            raise

    async def poll(self, command: Command) -> Reply:
        """As `Connections.poll`."""
        try:
            return await self._connections.poll(command)
        except Exception:
            self._outdated.set()
            raise

    async def read(self, command: Command, until: float) -> Reply:
        """As `Connections.read`."""
        if self._used is None:
            raise NotAsked("the primary is not known yet")
        return await self._connections.read(command, until)

    def counts(self) -> Mapping[str, int]:
        """The number of open connections."""
        return self._connections.counts()

    def open(self) -> None:
        """Allow connections, also after `close`."""
        self._ended.clear()
        self._connections.open()

    def close(self) -> None:
        """Close all connections, those in use when they come back."""
        self._ended.set()
        self._outdated.set()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._connections.close()

    async def _run(self) -> None:
        """Ask the Sentinels now and then, and whenever something failed."""
        try:
            while not self._ended.is_set():
                self._outdated.clear()
                try:
                    self._named = await self._primary()
                except Exception as error:
                    self._report("sentinel_failures", error)
                self._tried.set()
                await self._ended.wait_until(time.monotonic() + PAUSE_S)
                pause_s = FOLLOW_INTERVAL_S * random.uniform(0.8, 1.2)
                await self._outdated.wait_until(time.monotonic() + pause_s)
        finally:
            self._hang_up()

    async def _primary(self) -> Address:
        """The primary according to the first Sentinel that knows it. Raises: StoreUnavailable."""
        reasons = []
        for address in list(self._order):
            try:
                found = await self._primary_by(address)
            except Exception as error:
                self._hang_up()
                reasons.append(f"{address[0]}:{address[1]}: {error or type(error).__name__}")
                self._order.append(self._order.pop(0))
            else:
                return found
        raise StoreUnavailable(f"no Sentinel answered: {'; '.join(reasons)}")

    async def _primary_by(self, address: Address) -> Address:
        if self._asked is None or self._asked[0] != address:
            self._hang_up()
            self._asked = (address, await self._sentinels[address].connected())
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._url.service)
        match await self._asked[1].ask(command):
            case [bytes() as host, bytes() as port] if port.isdigit():
                return host.decode(), int(port)
        raise StoreUnavailable(f"it does not monitor {self._url.service!r}")

    def _hang_up(self) -> None:
        if self._asked is not None:
            self._asked[1].close()
            self._asked = None

    def _connections_to(self, address: Address) -> Connections:
        made = Connections(self._url.server(address), self._network, client_name=self._client_name)
        made.wanted = self.wanted
        return made
