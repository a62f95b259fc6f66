"""A Cluster of real servers on loopback, formed without redis-cli."""

import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot

from tests.serving import servers
from tests.topologies.nodes import node

TIMEOUT_MS = 1000
"""After which the other nodes take one for dead."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The ports of its nodes, the primaries first, and a client of each, with its `login`."""

    ports: tuple[int, ...]
    clients: tuple[Redis, ...]
    login: str = ""
    primaries: int = 3

    def url(self, login: str = "", *, seeds: Sequence[int] = (), options: str = "") -> str:
        """The URL of the Cluster, by default with its first node as the only seed."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in seeds or self.ports[:1])
        return f"redis+cluster://{login}{hosts}{options}"

    def owner(self, key: str) -> int:
        """The number of the node that has a key."""
        slot = key_slot(key.encode())
        for first, last, primary, *_ in asked(self.clients[-1], "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return self.ports.index(primary[1])
        raise AssertionError(f"slot {slot} is not covered")

    def kill(self, number: int) -> None:
        """Kill a node on the spot."""
        client = self.clients[number]
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
        servers.until(lambda: not servers.answers(client))

    @property
    def timeout_s(self) -> float:
        """After how long the other nodes take one for dead."""
        return TIMEOUT_MS / 1000

    @contextmanager
    def stopped(self, number: int) -> Iterator[None]:
        """Hold a node still, which keeps its connections, and lets it go on afterwards."""
        process = int(self.clients[number].info("server")["process_id"])
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def move(self, slot: int, source: int, target: int) -> Iterator[None]:
        """Move a slot; yields when both nodes know of the move, and after each key."""
        ids = [str(asked(client, "CLUSTER", "MYID").decode()) for client in self.clients]
        asked(self.clients[target], "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        asked(self.clients[source], "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        yield
        user, _, password = self.login.removesuffix("@").partition(":")
        login = ("AUTH2", user, password) if user else ()
        port = self.ports[target]
        while keys := asked(self.clients[source], "CLUSTER", "GETKEYSINSLOT", slot, 1):
            asked(self.clients[source], "MIGRATE", "127.0.0.1", port, keys[0], 0, 5000, *login)
            yield
        for number in (target, source, *set(range(self.primaries)) - {source, target}):
            asked(self.clients[number], "CLUSTER", "SETSLOT", slot, "NODE", ids[target])


def asked(client: Redis, *command: str | int | bytes) -> Any:  # noqa: ANN401
    """The bare reply to a command."""
    return client.execute_command(*command)  # type: ignore[no-untyped-call]


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that nobody listens on, nor on their bus: 10000 above."""
    found: list[int] = []
    with ExitStack() as bound:
        while len(found) < count:
            first = bound.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            if port > 55000:
                continue
            bus = bound.enter_context(socket.socket())
            try:
                bus.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            found.append(port)
    return tuple(found)


@contextmanager
def cluster(
    server: str,
    *arguments: str,
    replicas: int = 0,
    options: Sequence[str] = (),
    login: str = "",
    tls: bool = False,
) -> Iterator[Cluster]:
    """Run three primaries of `server`, and `replicas` of the first of them.

    `arguments` are a configuration file, `options` follow; `login` is that of the admin. With `tls`
    that is all they speak.
    """
    scheme, query = ("rediss", "?ssl_cert_reqs=none") if tls else ("redis", "")
    ports = free_ports(3 + replicas)
    common = [*options, "--cluster-enabled", "yes", "--cluster-node-timeout", str(TIMEOUT_MS)]
    common += ["--cluster-require-full-coverage", "no", "--cluster-allow-reads-when-down", "yes"]
    common += ["--repl-diskless-sync-delay", "0"]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        clients = tuple(
            running.enter_context(
                node(
                    Path(folder, str(port)),
                    f"{scheme}://{login}127.0.0.1:{port}{query}",
                    *arguments,
                    *common,
                    *(("--port", "0", "--tls-port") if tls else ("--port",)),
                    str(port),
                    server=server,
                )
            )
            for port in ports
        )
        found = Cluster(ports, clients, login)
        form(found)
        yield found


def form(found: Cluster) -> None:
    """Give the first three nodes a third of the slots each, and make all one Cluster."""
    first = found.clients[0]
    for number, client in enumerate(found.clients[:3]):
        bounds = (number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
        asked(client, "CLUSTER", "ADDSLOTSRANGE", *bounds)
        asked(client, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for port in found.ports[1:]:
        asked(first, "CLUSTER", "MEET", "127.0.0.1", port)
    servers.until(
        lambda: all(len(known_nodes(client)) == len(found.ports) for client in found.clients)
    )
    primary = asked(first, "CLUSTER", "MYID")
    for client in found.clients[3:]:
        asked(client, "CLUSTER", "REPLICATE", primary)
        servers.until(
            lambda client=client: client.info("replication").get("master_link_status") == "up"  # type: ignore[misc]
        )
    servers.until(lambda: all(whole(client) for client in found.clients))


def known_nodes(client: Redis) -> list[bytes]:
    """The lines of CLUSTER NODES, without the nodes whose handshake has not ended."""
    lines = bytes(asked(client, "CLUSTER", "NODES")).splitlines()
    return [line for line in lines if b"handshake" not in line]


def whole(client: Redis) -> bool:
    """Whether a node has heard of the owners of all slots."""
    slots = asked(client, "CLUSTER", "SLOTS")
    return sum(last - first + 1 for first, last, *_ in slots) == SLOTS and is_up(client)


def is_up(client: Redis) -> bool:
    """Whether the Cluster is up in the eyes of a node."""
    return b"cluster_state:ok" in asked(client, "CLUSTER", "INFO")
