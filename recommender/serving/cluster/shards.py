"""Reading from a Cluster: one round trip to each node that has some of the keys, all at once.

The topology and the connections are kept by threads of their own, so that a question neither asks
for the one nor waits for the other. Each node has a breaker of its own: where one is dead, those
that live are asked all the same.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from redis.connection import AbstractConnection

from recommender.errors import StoreUnavailable
from recommender.serving.breaker import Breaker
from recommender.serving.cluster.topology import Batch, Reading, Refusal, Topology, read_topology
from recommender.serving.cluster.url import Address, ClusterUrl
from recommender.serving.connection import POLL_TIMEOUT_S, connection_pool
from recommender.serving.multiplexed_request import Flight, fly
from recommender.serving.polled_state import Command, Reply
from recommender.serving.resp import SeveralReplies, packed, require_answer
from recommender.serving.transport import Wire, Wires

TEND_INTERVAL_S = 0.5
PROBE_INTERVAL_S = 1.0
REFRESH_INTERVAL_S = 0.5
"""The topology is asked for at most once in this time."""
BEST_SELLERS_S = 0.25
"""How long a poll waits for lists, so that one silent node does not make the pointer old."""

Complaint = Callable[[str, BaseException], None]
"""Is told the counter of an event and its error."""


class Node:
    """One primary: its connections, its breaker, and the thread that tends both."""

    def __init__(
        self, address: Address, wires: Wires, *, deadline_s: float, failed: Complaint
    ) -> None:
        self.address = address
        self.wires = wires
        self.breaker = Breaker()
        self._deadline_s = deadline_s
        self._complain = failed
        self._stopped = False
        name = f"recommender-lookup-{address[0]}:{address[1]}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to connect. Where the system gives no thread, the node is never asked."""
        with suppress(RuntimeError):
            self._thread.start()

    def stop(self) -> None:
        """Close the connections and let the thread end soon."""
        self._stopped = True
        self.wires.close()
        self.wires.wanted.set()

    def failed(self, event: str, error: Exception) -> None:
        """Take that the node failed, which may open its breaker."""
        self.breaker.failed()
        host, port = self.address
        self._complain(event, StoreUnavailable(f"node {host}:{port}: {error}"))

    def _run(self) -> None:
        while not self._stopped:
            try:
                self.wires.sweep()
                if self.breaker.open:
                    self._probe()
                self.wires.top_up()
            except Exception as error:
                self.failed("node_failures", error)
            pause_s = PROBE_INTERVAL_S if self.breaker.open else TEND_INTERVAL_S
            self._rest(time.monotonic() + pause_s * random.uniform(0.8, 1.2))
        self.wires.close()

    def _rest(self, until: float) -> None:
        """Rest until then, or until a request waits for a connection."""
        wanted = self.wires.wanted
        while not self._stopped and wanted.wait(until - time.monotonic()):
            wanted.clear()
            if not self.breaker.open:
                return

    def _probe(self) -> None:
        wire = self.wires.connected()
        try:
            asked_at = time.monotonic()
            reader = SeveralReplies(1, self.address)
            wire.exchange(packed(("PING", "probe")), reader, asked_at + POLL_TIMEOUT_S)
            answer = reader.values[0]
        finally:
            wire.close()
        if isinstance(answer, Refusal):
            raise StoreUnavailable(answer.reason)
        if time.monotonic() - asked_at <= self._deadline_s:
            self.breaker.close()


Taken = tuple[Node, Wire, Batch]
"""A batch with the connection that it goes over."""


class Shards:
    """The connections of one process to a Cluster, in place of `Wires` to a server.

    `control` is a key of the slot that has the pointer. Raises: ConfigError for the url.
    """

    def __init__(
        self, url: ClusterUrl, control: str, *, deadline_s: float, client_name: str, lost: Complaint
    ) -> None:
        self.wanted = threading.Event()
        self._url = url
        self._control = control
        self._tag = control[: control.index("}") + 1]
        self._deadline_s = deadline_s
        self._client_name = client_name
        self._lost = lost
        self._wires_to(url.seeds[0])
        self._topology: Topology | None = None
        self._nodes: dict[Address, Node] = {}
        self._changing = threading.Lock()
        self._tried = threading.Event()
        self._outdated = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="recommender-lookup-topology", daemon=True
        )

    def connected(self) -> Wire:
        """Connect to the node that has the pointer. Raises: what connecting raises."""
        self._begin()
        try:
            return self._pointing().wires.connected()
        except Exception:
            self._outdated.set()
            raise

    def reply(self, wire: Wire, command: Command, until: float) -> Reply:
        """The reply to a command of a poll. Raises: as `Wire.ask`."""
        if not command[1].startswith(self._tag):
            return self.call(command, min(until, time.monotonic() + BEST_SELLERS_S))
        try:
            reply = wire.ask(packed(command), until)
            require_answer(command, reply)
        except Exception:
            self._outdated.set()
            raise
        return reply

    def call(self, command: Command, until: float) -> Reply:
        """Read the keys of an MGET, each from its node; `UNREAD` is what does not come by then."""
        reading = Reading(command[1:])
        topology = self._topology
        if topology is not None:
            self._round(reading, reading.batches(topology), until)
            if redirected := reading.redirected():
                self._round(reading, redirected, until)
        if reading.astray:
            self._outdated.set()
        return reading.values

    def sweep(self) -> None:
        """Nothing: a thread for each node tends its connections."""

    def top_up(self) -> None:
        """Nothing, as `sweep`."""

    def close(self) -> None:
        """Close all connections, those in use when they come back, and let the threads end."""
        with self._changing:
            self._ended.set()
            nodes, self._nodes = self._nodes, {}
        for node in nodes.values():
            node.stop()
        for event in (self._outdated, self._tried):
            event.set()

    def counts(self) -> Mapping[str, int]:
        """How many connections are open, how many nodes there are, and which are left alone."""
        nodes = self._nodes.values()
        return {
            "connections": sum(node.wires.counts()["connections"] for node in nodes),
            "nodes": len(nodes),
            "nodes_spared": sum(node.breaker.open for node in nodes),
        }

    def _round(self, reading: Reading, batches: Iterable[Batch], until: float) -> None:
        """Ask all nodes at once; those without an idle connection when the others are done."""
        ready: list[Taken] = []
        late: list[tuple[Node, Batch]] = []
        for batch in batches:
            node = self._nodes.get(batch.address)
            if node is None or node.breaker.open:
                continue
            wire = node.wires.idle()
            if wire is None:
                node.wires.wanted.set()
                late.append((node, batch))
            else:
                ready.append((node, wire, batch))
        self._fly(reading, ready, until)
        for place, (node, batch) in enumerate(late):
            now = time.monotonic()
            try:
                wire = node.wires.taken(now + (until - now) / (len(late) - place))
            except StoreUnavailable as error:
                node.failed("read_failures", error)
            else:
                self._fly(reading, [(node, wire, batch)], until)

    def _fly(self, reading: Reading, taken: Sequence[Taken], until: float) -> None:
        try:
            flights = [Flight(wire, batch) for _, wire, batch in taken]
            fly(flights, until)
        except BaseException:
            for node, wire, _ in taken:
                node.wires.drop(wire)
            raise
        for (node, wire, batch), flight in zip(taken, flights, strict=True):
            if flight.error is not None:
                node.wires.drop(wire)
                node.failed("read_failures", flight.error)
                continue
            node.wires.give(wire)
            node.breaker.succeeded()
            refused = reading.take(batch, flight.reader.values)
            if refused is not None and refused.elsewhere is None:
                self._lost("read_failures", StoreUnavailable(refused.reason))

    def _pointing(self) -> Node:
        self._tried.wait(POLL_TIMEOUT_S)
        topology = self._topology
        address = topology.node_of(self._control) if topology else None
        node = self._nodes.get(address) if address else None
        if node is None:
            raise StoreUnavailable("no node of the Cluster is known to have the pointer")
        return node

    def _begin(self) -> None:
        if not self._thread.is_alive() and not self._ended.is_set():
            self._outdated.set()
            with suppress(RuntimeError):
                self._thread.start()

    def _run(self) -> None:
        while self._outdated.wait() and not self._ended.is_set():
            self._outdated.clear()
            try:
                self._learn(self._asked())
            except Exception as error:
                self._lost("topology_failures", error)
                self._outdated.set()
            self._tried.set()
            self._ended.wait(REFRESH_INTERVAL_S * random.uniform(1, 1.5))

    def _asked(self) -> Topology:
        """The topology that the first node tells that answers. Raises: StoreUnavailable."""
        nodes = list(self._nodes.values())
        random.shuffle(nodes)
        nodes.sort(key=lambda node: node.breaker.open)
        reasons: list[str] = []
        for address in dict.fromkeys([*(node.address for node in nodes), *self._url.seeds]):
            if self._ended.is_set():
                break
            try:
                return ask_topology(self._url, address, self._client_name)
            except Exception as error:
                reasons.append(f"{address[0]}:{address[1]}: {error}")
        raise StoreUnavailable(f"no node tells the slots of the Cluster: {'; '.join(reasons)}")

    def _learn(self, topology: Topology) -> None:
        with self._changing:
            if self._ended.is_set():
                return
            before = self._nodes
            self._nodes = {
                address: before.get(address) or self._node(address) for address in topology.nodes
            }
            new = [node for address, node in self._nodes.items() if address not in before]
            gone = [node for address, node in before.items() if address not in self._nodes]
            self._topology = topology
            for node in new:
                node.start()
        for node in gone:
            node.stop()

    def _node(self, address: Address) -> Node:
        return Node(
            address, self._wires_to(address), deadline_s=self._deadline_s, failed=self._failed
        )

    def _wires_to(self, address: Address) -> Wires:
        return Wires(
            self._url.node(address), timeout_s=POLL_TIMEOUT_S, client_name=self._client_name
        )

    def _failed(self, event: str, error: BaseException) -> None:
        self._outdated.set()
        self._lost(event, error)


def ask_topology(url: ClusterUrl, address: Address, client_name: str) -> Topology:
    """Ask one node for the slots of all. Raises: RedisError; OSError; ValueError."""
    pool = connection_pool(
        url.node(address),
        connect_timeout_s=POLL_TIMEOUT_S,
        timeout_s=POLL_TIMEOUT_S,
        client_name=client_name,
    )
    connection: AbstractConnection = pool.connection_class(**pool.connection_kwargs)
    try:
        connection.connect()  # type: ignore[no-untyped-call]
        connection.send_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        reply = connection.read_response(disable_decoding=True)
    finally:
        connection.disconnect()  # type: ignore[no-untyped-call]
    return read_topology(reply, address)
