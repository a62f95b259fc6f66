"""`shards` for asyncio: tasks in place of threads, the same nodes asked for the same keys."""

import asyncio
import random
from collections.abc import Iterable, Mapping
from contextlib import suppress

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, ResponseError

from recommender.errors import StoreUnavailable
from recommender.serving.aio_transport import AsyncWires, abort, asked
from recommender.serving.breaker import Breaker
from recommender.serving.cluster.shards import (
    BEST_SELLERS_S,
    PROBE_INTERVAL_S,
    REFRESH_INTERVAL_S,
    TEND_INTERVAL_S,
    Complaint,
)
from recommender.serving.cluster.topology import Batch, Reading, Refusal, Topology, read_topology
from recommender.serving.cluster.url import Address, ClusterUrl
from recommender.serving.connection import POLL_TIMEOUT_S
from recommender.serving.polled_state import Command, Reply
from recommender.serving.resp import packed


class AsyncNode:
    """One primary: its connections, its breaker, and the task that tends both."""

    def __init__(
        self, address: Address, wires: AsyncWires, *, deadline_s: float, failed: Complaint
    ) -> None:
        self.address = address
        self.wires = wires
        self.breaker = Breaker()
        self._deadline_s = deadline_s
        self._complain = failed
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"recommender-lookup-{address[0]}:{address[1]}"
        )

    def stop(self) -> None:
        """Close the connections and end the task."""
        self._task.cancel()
        self.wires.close()

    def failed(self, event: str, error: BaseException) -> None:
        """Take that the node failed, which may open its breaker."""
        self.breaker.failed()
        host, port = self.address
        reason = str(error) or type(error).__name__
        self._complain(event, StoreUnavailable(f"node {host}:{port}: {reason}"))

    async def _run(self) -> None:
        while True:
            try:
                if self.breaker.open:
                    await self._probe()
                await self.wires.top_up()
            except Exception as error:
                self.failed("node_failures", error)
            pause_s = PROBE_INTERVAL_S if self.breaker.open else TEND_INTERVAL_S
            await self._rest(pause_s * random.uniform(0.8, 1.2))

    async def _rest(self, pause_s: float) -> None:
        """Rest for that long, or until a question waits for a connection."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                while True:
                    await self.wires.wanted.wait()
                    self.wires.wanted.clear()
                    if not self.breaker.open:
                        return

    async def _probe(self) -> None:
        connection = await self.wires.connected()
        try:
            loop = asyncio.get_running_loop()
            asked_at = loop.time()
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await connection.send_packed_command([packed(("PING",))], check_health=False)
                await connection.read_response()
        finally:
            abort(connection)
        if loop.time() - asked_at <= self._deadline_s:
            self.breaker.close()


class AsyncShards:
    """The connections of one event loop to a Cluster, in place of `AsyncWires` to a server.

    `control` is a key of the slot that has the pointer. Raises: ConfigError for the url.
    """

    def __init__(
        self, url: ClusterUrl, control: str, *, deadline_s: float, client_name: str, lost: Complaint
    ) -> None:
        self.wanted = asyncio.Event()
        self._url = url
        self._control = control
        self._tag = control[: control.index("}") + 1]
        self._deadline_s = deadline_s
        self._client_name = client_name
        self._lost = lost
        self._wires_to(url.seeds[0])
        self._topology: Topology | None = None
        self._nodes: dict[Address, AsyncNode] = {}
        self._tried = asyncio.Event()
        self._outdated = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def connected(self) -> AbstractConnection:
        """Connect to the node that has the pointer. Raises: what connecting raises."""
        if self._task is None or self._task.done():
            self._outdated.set()
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name="recommender-lookup-topology"
            )
        try:
            return await (await self._pointing()).wires.connected()
        except Exception:
            self._outdated.set()
            raise

    async def reply(self, connection: AbstractConnection, command: Command) -> Reply:
        """The reply to a command of a poll. Raises: as `asked`."""
        if not command[1].startswith(self._tag):
            return await self.call(command, asyncio.get_running_loop().time() + BEST_SELLERS_S)
        try:
            return await asked(connection, command)
        except Exception:
            self._outdated.set()
            raise

    async def call(self, command: Command, until: float) -> Reply:
        """Read the keys of an MGET, each from its node; `UNREAD` is what does not come by then."""
        reading = Reading(command[1:])
        topology = self._topology
        if topology is not None:
            await self._round(reading, reading.batches(topology), until)
            if redirected := reading.redirected():
                await self._round(reading, redirected, until)
        if reading.astray:
            self._outdated.set()
        return reading.values

    async def top_up(self) -> None:
        """Nothing: a task for each node tends its connections."""

    def counts(self) -> Mapping[str, int]:
        """How many connections are open, how many nodes there are, and which are left alone."""
        nodes = self._nodes.values()
        return {
            "connections": sum(node.wires.counts()["connections"] for node in nodes),
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

    async def _round(self, reading: Reading, batches: Iterable[Batch], until: float) -> None:
        asked_nodes = [
            (node, batch)
            for batch in batches
            if (node := self._nodes.get(batch.address)) and not node.breaker.open
        ]
        if len(asked_nodes) == 1:
            await self._ask(reading, *asked_nodes[0], until)
            return
        async with asyncio.TaskGroup() as tasks:
            for node, batch in asked_nodes:
                tasks.create_task(self._ask(reading, node, batch, until))

    async def _ask(self, reading: Reading, node: AsyncNode, batch: Batch, until: float) -> None:
        """Take what one node answers, before the deadline; only being cancelled raises."""
        try:
            async with asyncio.timeout_at(until):
                replies = await node.wires.exchange(lambda wire: _replies(wire, batch))
        except Exception as error:
            node.failed("read_failures", error)
            return
        node.breaker.succeeded()
        refused = reading.take(batch, replies)
        if refused is not None and refused.elsewhere is None:
            self._lost("read_failures", StoreUnavailable(refused.reason))

    async def _pointing(self) -> AsyncNode:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await self._tried.wait()
        topology = self._topology
        address = topology.node_of(self._control) if topology else None
        node = self._nodes.get(address) if address else None
        if node is None:
            raise StoreUnavailable("no node of the Cluster is known to have the pointer")
        return node

    async def _run(self) -> None:
        while True:
            await self._outdated.wait()
            self._outdated.clear()
            try:
                self._learn(await self._asked())
            except Exception as error:
                self._lost("topology_failures", error)
                self._outdated.set()
            self._tried.set()
            await asyncio.sleep(REFRESH_INTERVAL_S * random.uniform(1, 1.5))

    async def _asked(self) -> Topology:
        """The topology that the first node tells that answers. Raises: StoreUnavailable."""
        nodes = list(self._nodes.values())
        random.shuffle(nodes)
        nodes.sort(key=lambda node: node.breaker.open)
        reasons: list[str] = []
        for address in dict.fromkeys([*(node.address for node in nodes), *self._url.seeds]):
            try:
                return await self._asked_of(address)
            except Exception as error:
                reasons.append(f"{address[0]}:{address[1]}: {error or type(error).__name__}")
        raise StoreUnavailable(f"no node tells the slots of the Cluster: {'; '.join(reasons)}")

    async def _asked_of(self, address: Address) -> Topology:
        connection = await self._wires_to(address).connected()
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                command = packed(("CLUSTER", "SLOTS"))
                await connection.send_packed_command([command], check_health=False)
                reply = await connection.read_response(disable_decoding=True)
        finally:
            abort(connection)
        return read_topology(reply, address)

    def _learn(self, topology: Topology) -> None:
        before = self._nodes
        self._nodes = {
            address: before.get(address) or self._node(address) for address in topology.nodes
        }
        self._topology = topology
        for address, node in before.items():
            if address not in self._nodes:
                node.stop()

    def _node(self, address: Address) -> AsyncNode:
        return AsyncNode(
            address, self._wires_to(address), deadline_s=self._deadline_s, failed=self._failed
        )

    def _wires_to(self, address: Address) -> AsyncWires:
        return AsyncWires(self._url.node(address), client_name=self._client_name)

    def _failed(self, event: str, error: BaseException) -> None:
        self._outdated.set()
        self._lost(event, error)


async def _replies(connection: AbstractConnection, batch: Batch) -> list[bytes | Refusal | None]:
    """What a node answers to a batch. Raises: RedisError; StoreUnavailable."""
    message = b"".join(map(packed, batch.commands()))
    await connection.send_packed_command([message], check_health=False)
    return [await _reply(connection, batch.address) for _ in range(batch.n_replies)]


async def _reply(connection: AbstractConnection, node: Address) -> bytes | Refusal | None:
    try:
        reply = await connection.read_response(disable_decoding=True)
    except AskError as error:
        # MovedError is one too.
        asking = type(error) is AskError
        return Refusal(str(error), (error.host or node[0], error.port), asking=asking)
    except ResponseError as error:
        return Refusal(str(error))
    if not isinstance(reply, bytes | None):
        raise StoreUnavailable(f"malformed reply {reply!r:.80}")
    return reply
