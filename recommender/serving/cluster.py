"""Reading from a Redis Cluster: one round trip to each node that has some of the keys, all at once.

Lookups of threads run the same code on an event loop of their own (`lookup.BlockingCluster`).
"""

import asyncio
import random
import time
from collections.abc import Iterable, Mapping

from recommender.errors import StoreUnavailable
from recommender.serving.aio_transport import (
    AsyncConnections,
    AsyncNode,
    abort,
    wait_async,
)
from recommender.serving.connection import POLL_TIMEOUT_S, Address, ClusterUrl
from recommender.serving.core import Core
from recommender.serving.protocol import (
    ClusterRead,
    NodeBatch,
    ReplyReader,
    Topology,
    packed,
    read_topology,
)
from recommender.serving.reader import LookupSettings
from recommender.serving.state import Command, Reply

REFRESH_INTERVAL_S = 0.5
"""The topology is read at most once in this time."""
BEST_SELLERS_S = 0.25
"""How long a poll waits for lists, so that one silent node does not make the pointer old."""


class AsyncCluster:
    """The connections of one event loop to a Cluster, as `reader.Connections`.

    Tasks of their own keep the topology and the connections of each node, so that no request
    waits for them. Raises: ConfigError for the url.
    """

    event = asyncio.Event
    wait = staticmethod(wait_async)

    def __init__(self, url: ClusterUrl, settings: LookupSettings, core: Core) -> None:
        self.wanted = asyncio.Event()
        self._url = url
        self._settings = settings
        self._live_key = core.keys.live
        self._tag = self._live_key[: self._live_key.index("}") + 1]
        self._report = core.report
        self._connections_to(url.seeds[0])
        self._pointing: AsyncNode | None = None
        self._topology: Topology | None = None
        self._nodes: dict[Address, AsyncNode] = {}
        self._tried = asyncio.Event()
        self._outdated = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def top_up(self) -> None:
        """Connect to the node that has the pointer; the tasks of the nodes connect for requests.

        Raises: StoreUnavailable; what connecting raises.
        """
        if self._task is None or self._task.done():
            self._outdated.set()
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="recommender-lookup-topology"
            )
        try:
            self._pointing = await self._node_of_pointer()
            await self._pointing.connections.connect()
        except Exception:
            self._outdated.set()
            raise

    async def poll(self, command: Command) -> Reply:
        """Read control keys from the node of the pointer, and lists from theirs.

        Raises: as `AsyncConnections.poll`.
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
        await self.fill(read, until)
        return read.values

    async def fill(self, read: ClusterRead, until: float) -> None:
        """Fill in the values of a read, as their nodes reply before `until`."""
        topology = self._topology
        if topology is not None:
            await self._round(read, read.batches(topology), until)
            if redirected := read.redirected():
                await self._round(read, redirected, until)
        if read.outdated:
            self._outdated.set()

    def counts(self) -> Mapping[str, int]:
        """The numbers of open connections, of nodes, and of nodes whose breaker is open."""
        nodes = self._nodes.values()
        return {
            "connections": sum(node.connections.counts()["connections"] for node in nodes),
            "nodes": len(nodes),
            "nodes_spared": sum(node.breaker.open for node in nodes),
        }

    def close(self) -> None:
        """End the tasks and close all connections, those in use when they come back."""
        if self._task is not None:
            self._task.cancel()
        for node in self._nodes.values():
            node.stop()
        self._nodes = {}

    async def _round(self, read: ClusterRead, batches: Iterable[NodeBatch], until: float) -> None:
        asked = [
            (node, batch)
            for batch in batches
            if (node := self._nodes.get(batch.address)) and not node.breaker.open
        ]
        if len(asked) == 1:
            await self._ask(read, *asked[0], until)
            return
        async with asyncio.TaskGroup() as tasks:
            for node, batch in asked:
                tasks.create_task(self._ask(read, node, batch, until))

    async def _ask(
        self, read: ClusterRead, node: AsyncNode, batch: NodeBatch, until: float
    ) -> None:
        """Take the replies of one node before the deadline; raises only if cancelled."""
        reader = ReplyReader(batch.n_replies, batch.address)
        message = b"".join(map(packed, batch.commands()))
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await node.connections.exchange(message, reader)
        except Exception as error:
            node.failed("read_failures", error)
            return
        node.breaker.succeeded()
        error_reply = read.take(batch, reader.values)
        if error_reply is not None and error_reply.redirect is None:
            self._report("read_failures", StoreUnavailable(error_reply.reason))

    async def _node_of_pointer(self) -> AsyncNode:
        """The node that has the pointer. Raises: StoreUnavailable."""
        await wait_async(self._tried, time.monotonic() + POLL_TIMEOUT_S)
        topology = self._topology
        address = topology.node_of(self._live_key) if topology else None
        node = self._nodes.get(address) if address else None
        if node is None:
            raise StoreUnavailable("no node of the Cluster is known to have the pointer")
        return node

    async def _run(self) -> None:
        """Read the topology whenever it is outdated."""
        while True:
            await self._outdated.wait()
            self._outdated.clear()
            try:
                self._adopt(await self._read_topology())
            except Exception as error:
                self._report("topology_failures", error)
                self._outdated.set()
            self._tried.set()
            await asyncio.sleep(REFRESH_INTERVAL_S * random.uniform(1, 1.5))

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
        connection = await self._connections_to(address).connected()
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                command = packed(("CLUSTER", "SLOTS"))
                await connection.send_packed_command([command], check_health=False)
                reply = await connection.read_response(disable_decoding=True)
        finally:
            abort(connection)
        return read_topology(reply, address)

    def _adopt(self, topology: Topology) -> None:
        before = self._nodes
        self._nodes = {
            address: before.get(address) or self._node(address) for address in topology.nodes
        }
        self._topology = topology
        for address, node in before.items():
            if address not in self._nodes:
                node.stop()

    def _node(self, address: Address) -> AsyncNode:
        connections = self._connections_to(address)
        deadline_s = self._settings.deadline_s
        return AsyncNode(address, connections, deadline_s=deadline_s, report=self._report_node)

    def _connections_to(self, address: Address) -> AsyncConnections:
        return AsyncConnections(self._url.node(address), client_name=self._settings.client_name)

    def _report_node(self, event: str, error: BaseException) -> None:
        self._outdated.set()
        self._report(event, error)
