"""One server of several: a primary of a Cluster with a breaker and connections of its own."""

import random
import time
from collections.abc import Callable

from recommender.errors import StoreUnavailable
from recommender.serving.fallbacks import PROBE_INTERVAL_S, Breaker, of_server
from recommender.serving.network import Network
from recommender.serving.transport import Connections
from recommender.serving.urls import Address

KEEP_READY_INTERVAL_S = 0.5

FailureReport = Callable[[str, BaseException], None]
"""Takes the counter of an event and its error."""


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
        """Count and report a failure, which may open the breaker where it is the node's own."""
        if of_server(error):
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
