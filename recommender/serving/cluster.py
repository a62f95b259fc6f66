"""Reading from a Redis Cluster: one round trip to each node that has some of the keys, all at once.

Threads and asyncio share this module; the `Network` is what differs.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from recommender.errors import StoreUnavailable
from recommender.serving.connection import POLL_TIMEOUT_S
from recommender.serving.network import ARRIVED_S, Link, Network
from recommender.serving.node import FailureReport, Node
from recommender.serving.protocol import (
    ClusterRead,
    NodeBatch,
    ReplyReader,
    Topology,
    packed,
    read_topology,
)
from recommender.serving.state import Command, Reply
from recommender.serving.transport import Connections, judged
from recommender.serving.urls import Address, ClusterUrl

REFRESH_INTERVAL_S = 0.5
"""The topology is read at most once in this time."""
BEST_SELLERS_S = 0.25
"""How long a poll waits for lists, so that one silent node does not make the pointer old."""


class Cluster:
    """The connections of one process, or event loop, to a Cluster, like `Connections`.

    Threads, or tasks, of their own keep the topology and the connections of each node, so that no
    request waits for them. Raises: ConfigError for the url.
    """

    def __init__(
        self,
        url: ClusterUrl,
        network: Network,
        live_key: str,
        *,
        client_name: str,
        deadline_s: float,
        report: FailureReport,
    ) -> None:
        self.wanted = network.event()
        self._url = url
        self._network = network
        self._live_key = live_key
        self._tag = live_key[: live_key.index("}") + 1]
        self._client_name = client_name
        self._deadline_s = deadline_s
        self._report = report
        self._connections_to(url.seeds[0])
        self._pointing: Node | None = None
        self._topology: Topology | None = None
        self._nodes: dict[Address, Node] = {}
        self._tried = network.event()
        self._outdated = network.event()
        self._ended = network.event()
        self._cancel: Callable[[], object] | None = None

    async def top_up(self) -> None:
        """Connect to the node that has the pointer; others connect for requests.

        Raises: StoreUnavailable; what connecting raises.
        """
        if self._cancel is None:
            self._outdated.set()
            self._cancel = self._network.start(self._run, "recommender-lookup-topology")
        try:
            self._pointing = await self._node_of_pointer()
            await self._pointing.connections.connect()
        except Exception:
            self._outdated.set()
            raise

    async def poll(self, command: Command) -> Reply:
        """Read control keys from the node of the pointer, and lists from theirs.

        Raises: as `Connections.poll`.
        """
        if not command[1].startswith(self._tag):
            return await self.read(command, time.monotonic() + BEST_SELLERS_S)
        if self._pointing is None:
            raise StoreUnavailable("not connected")
        try:
            return await self._pointing.connections.poll(command)
        except Exception:
            self._outdated.set()
            raise

    async def read(self, command: Command, until: float) -> Reply:
        """Read the keys of an MGET, each from its node; values not read by then are `UNREAD`."""
        read = ClusterRead(command[1:])
        topology = self._topology
        if topology is not None:
            await self._round(read, read.batches(topology), until)
            if redirected := read.redirected():
                await self._round(read, redirected, until)
        if read.outdated:
            self._outdated.set()
        return read.values

    def counts(self) -> Mapping[str, int]:
        """The numbers of open connections, of nodes, and of nodes whose breaker is open."""
        nodes = self._nodes.values()
        return {
            "connections": sum(node.connections.counts()["connections"] for node in nodes),
            "nodes": len(nodes),
            "nodes_spared": sum(node.breaker.open for node in nodes),
        }

    def open(self) -> None:
        """Allow connections, also after `close`."""
        self._ended.clear()

    def close(self) -> None:
        """Close all connections, those in use when they come back."""
        self._ended.set()
        self._outdated.set()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._stop_nodes()

    async def _round(self, read: ClusterRead, batches: Iterable[NodeBatch], until: float) -> None:
        """Send each node its batch, then take the replies that come before the deadline."""
        began = time.monotonic()
        asked = [
            (node, batch, node.connections.take_idle())
            for batch in batches
            if (node := self._nodes.get(batch.address)) and not node.breaker.open
        ]
        asked.sort(key=lambda one: one[2] is None)  # so that a busy node does not delay the others
        sent: list[tuple[Node, NodeBatch, Link, float]] = []
        try:
            for node, batch, idle in asked:
                message = b"".join(map(packed, batch.commands()))
                try:
                    link = idle or await node.connections.awaited(until)
                    node.connections.send(link, message, until)
                except Exception as error:
                    node.failed("read_failures", error)
                else:
                    sent.append((node, batch, link, began if idle else time.monotonic()))
            while sent:
                await self._take(read, *sent.pop(), began, until)
        finally:
            for node, _, link, _ in sent:
                node.connections.drop(link)

    async def _take(  # noqa: PLR0913
        self,
        read: ClusterRead,
        node: Node,
        batch: NodeBatch,
        link: Link,
        asked_at: float,
        began: float,
        until: float,
    ) -> None:
        """Take the replies of one node; raises only if cancelled."""
        reader = ReplyReader(batch.n_replies, batch.address)
        try:
            last = max(until, time.monotonic() + ARRIVED_S)
            await node.connections.finish(link, reader, last)
        except TimeoutError as error:
            if not reader.oversized:
                node.failed("read_failures", judged(error, asked_at, began, until))
                return
        except Exception as error:
            node.failed("read_failures", error)
            return
        node.breaker.succeeded()
        error_reply = read.take(batch, reader.so_far())
        if error_reply is not None and error_reply.redirect is None:
            self._report("read_failures", StoreUnavailable(error_reply.reason))

    async def _node_of_pointer(self) -> Node:
        """The node that has the pointer. Raises: StoreUnavailable."""
        await self._tried.wait_until(time.monotonic() + POLL_TIMEOUT_S)
        topology = self._topology
        address = topology.node_of(self._live_key) if topology else None
        node = self._nodes.get(address) if address else None
        if node is None:
            raise StoreUnavailable("no node of the Cluster is known to have the pointer")
        return node

    async def _run(self) -> None:
        """Read the topology whenever it is outdated."""
        while not self._ended.is_set():
            if not await self._outdated.wait_until(time.monotonic() + threading.TIMEOUT_MAX / 2):
                continue
            self._outdated.clear()
            try:
                self._adopt(await self._read_topology())
            except Exception as error:
                self._report("topology_failures", error)
                self._outdated.set()
            self._tried.set()
            pause_s = REFRESH_INTERVAL_S * random.uniform(1, 1.5)
            await self._ended.wait_until(time.monotonic() + pause_s)

    async def _read_topology(self) -> Topology:
        """The topology according to the first node that replies. Raises: StoreUnavailable."""
        nodes = list(self._nodes.values())
        random.shuffle(nodes)
        nodes.sort(key=lambda node: node.breaker.open)
        reasons: list[str] = []
        for address in dict.fromkeys([*(node.address for node in nodes), *self._url.seeds]):
            try:
                return await self._topology_of(address)
            except Exception as error:
                reasons.append(f"{address[0]}:{address[1]}: {error or type(error).__name__}")
        raise StoreUnavailable(f"no node returned the slots of the Cluster: {'; '.join(reasons)}")

    async def _topology_of(self, address: Address) -> Topology:
        link = await self._connections_to(address).connected()
        try:
            return read_topology(await link.ask(("CLUSTER", "SLOTS")), address)
        finally:
            link.close()

    def _adopt(self, topology: Topology) -> None:
        before = self._nodes
        self._nodes = {
            address: before.get(address) or self._node(address) for address in topology.nodes
        }
        self._topology = topology
        for address, node in before.items():
            if address not in self._nodes:
                node.stop()
        if self._ended.is_set():
            self._stop_nodes()

    def _stop_nodes(self) -> None:
        for node in self._nodes.values():
            node.stop()
        self._nodes = {}

    def _node(self, address: Address) -> Node:
        return Node(
            address,
            self._connections_to(address),
            self._network,
            deadline_s=self._deadline_s,
            report=self._report_node,
        )

    def _connections_to(self, address: Address) -> Connections:
        return Connections(self._url.node(address), self._network, client_name=self._client_name)

    def _report_node(self, event: str, error: BaseException) -> None:
        self._outdated.set()
        self._report(event, error)
