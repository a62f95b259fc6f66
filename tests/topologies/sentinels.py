"""A primary, its replica and Sentinels that watch them: real servers on loopback."""

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from tests.serving import servers
from tests.topologies.nodes import free_port, node

SERVICE = "shop"
DOWN_AFTER_MS = 300


@dataclass(frozen=True, slots=True)
class Watched:
    """The ports of the primary and its replica, of the Sentinels, and a client of each server."""

    servers: tuple[int, int]
    sentinels: tuple[int, ...]
    clients: tuple[Redis, Redis]
    watchers: tuple[Redis, ...]

    def hosts(self) -> str:
        """The Sentinels as a URL names them."""
        return ",".join(f"127.0.0.1:{port}" for port in self.sentinels)

    def named(self) -> int:
        """The port of the primary in the eyes of the first Sentinel that answers."""
        watcher = next(each for each in self.watchers if servers.answers(each))
        found = watcher.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)  # type: ignore[no-untyped-call]
        return int(found[1])

    def signal(self, number: int, sent: signal.Signals) -> None:
        """Send a server a signal."""
        os.kill(int(self.clients[number].info("server")["process_id"]), sent)

    def replicated(self) -> None:
        """Wait until the replica has everything."""
        written = int(self.clients[0].info("replication")["master_repl_offset"])
        servers.until(
            lambda: int(self.clients[1].info("replication")["slave_repl_offset"]) >= written
        )


@contextmanager
def watched(
    count: int = 1,
    *,
    password: str = "",
    tls: Sequence[str] = (),
    query: str = "",
) -> Iterator[Watched]:
    """Run a primary, a replica and `count` Sentinels; `tls` are options that all of them get."""
    ports = (free_port(), free_port())
    watching = tuple(free_port() for _ in range(count))
    scheme = "rediss" if tls else "redis"
    login = f":{password}@" if password else ""
    listen = ("--port", "0", "--tls-port") if tls else ("--port",)
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)

        def started(port: int, *arguments: str) -> Redis:
            url = f"{scheme}://{login}127.0.0.1:{port}{query}"
            options = [*arguments, *listen, str(port), *tls]
            return running.enter_context(node(folder / str(port), url, *options))

        access = ["--requirepass", password, "--masterauth", password] if password else []
        common = [*access, "--repl-diskless-sync-delay", "0"]
        primary = started(ports[0], *common)
        replica = started(ports[1], *common, "--replicaof", "127.0.0.1", str(ports[0]))
        servers.until(lambda: replica.info("replication")["master_link_status"] == "up")
        watchers = []
        for port in watching:
            config = folder / f"{port}.conf"
            lines = [
                f"sentinel monitor {SERVICE} 127.0.0.1 {ports[0]} {count // 2 + 1}",
                f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
                f"sentinel failover-timeout {SERVICE} 3000",
                *([f"sentinel auth-pass {SERVICE} {password}"] if password else []),
                *([f"requirepass {password}"] if password else []),
                *([f"sentinel sentinel-pass {password}"] if password else []),
            ]
            config.write_text("\n".join(lines) + "\n")
            watchers.append(started(port, str(config), "--sentinel"))
        found = Watched(ports, watching, (primary, replica), tuple(watchers))
        for watcher in watchers:
            servers.until(lambda watcher=watcher: knows_all(watcher, count))  # type: ignore[misc]
        yield found


def knows_all(watcher: Redis, count: int) -> bool:
    """Whether a Sentinel has found the replica and the other Sentinels."""
    state: Any = watcher.sentinel_master(SERVICE)
    return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == count - 1)
