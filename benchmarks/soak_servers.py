"""The processes of a soak: two Redis servers, a Sentinel, and `recommender serve`."""

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryDirectory

from redis import Redis
from redis.exceptions import RedisError

SHOP, SERVICE = "soak", "shop"
DOWN_AFTER_MS = 1000


@dataclass
class Stack:
    """The running processes; `ports` are those of the two servers, the Sentinel and the service."""

    folder: Path
    ports: tuple[int, int, int]
    processes: dict[int, Popen[bytes]]
    service: Popen[str]
    service_port: int

    @property
    def url(self) -> str:
        """What lookups and publishers open."""
        return f"redis+sentinel://127.0.0.1:{self.ports[2]}/{SERVICE}"

    def primary(self) -> int:
        """The port of the primary, as the Sentinel names it."""
        with Redis(port=self.ports[2]) as sentinel:
            found = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(found[1])

    def kill(self, port: int) -> None:
        """Kill a server, wait until the other one is the primary, and start it as a replica."""
        self.processes[port].kill()
        self.processes[port].wait()
        until(lambda: self.primary() != port)
        self.start(port, self.primary())
        self.replicated()

    def end(self) -> None:
        """Kill the servers."""
        for process in self.processes.values():
            process.kill()

    def fail_over(self) -> None:
        """Have the replica take over."""
        before = self.primary()
        with Redis(port=self.ports[2]) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE)
        until(lambda: self.primary() != before)
        self.replicated()

    def replicated(self) -> None:
        """Wait until the replica follows."""
        with Redis(port=self.primary()) as primary:
            until(lambda: bool(primary.info("replication")["connected_slaves"]))

    def start(self, port: int, primary: int = 0) -> None:
        """Start a server, as a replica where a primary is given."""
        follow = ["--replicaof", "127.0.0.1", str(primary)] if primary else []
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", *follow]
        options += ["--dir", str(self.folder), "--repl-diskless-sync-delay", "0"]
        binary = shutil.which("redis-server") or "redis-server"
        self.processes[port] = Popen([binary, *options], stdout=DEVNULL)
        with Redis(port=port) as client:
            until(lambda: answers(client))


@contextmanager
def started() -> Iterator[Stack]:
    """Start everything, and end it. Raises: RuntimeError where a server does not come up."""
    with TemporaryDirectory() as name, ExitStack() as ending:
        folder, ports = Path(name), (free_port(), free_port(), free_port())
        stack = Stack(folder, ports, {}, None, 0)  # type: ignore[arg-type]
        ending.callback(stack.end)
        stack.start(ports[0])
        stack.start(ports[1], ports[0])
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {ports[2]}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {ports[0]} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        binary = shutil.which("redis-server") or "redis-server"
        command = [binary, str(config), "--sentinel"]
        stack.processes[ports[2]] = Popen(command, stdout=DEVNULL)
        with Redis(port=ports[2]) as sentinel:
            until(lambda: answers(sentinel))
        stack.replicated()
        settings = folder / "recommender.toml"
        settings.write_text(f'shop = "{SHOP}"\n[store]\nurl = "{stack.url}"\n')
        command = [sys.executable, "-m", "recommender.cli", "serve", "--port", "0"]
        stack.service = Popen(
            [*command, "--config", str(settings)], stdout=PIPE, stderr=DEVNULL, text=True
        )
        ending.callback(stack.service.wait)
        ending.callback(stack.service.terminate)
        ending.callback(lambda: os.kill(stack.service.pid, signal.SIGCONT))
        assert stack.service.stdout is not None
        stack.service_port = int(stack.service.stdout.readline().split(":")[2].split("/")[0])
        yield stack


def until(holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Poll a condition. Raises: RuntimeError where it does not hold in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        with suppress(RedisError):
            if holds():
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"not reached within {timeout_s} s")
        time.sleep(0.05)


def answers(client: Redis) -> bool:
    """Whether a server answers."""
    return bool(client.ping())


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def resources(pid: int) -> Mapping[str, float]:
    """Resident memory (MB), descriptors and threads of a process."""
    place = Path(f"/proc/{pid}")
    pages = int((place / "statm").read_text().split()[1])
    return {
        "memory, MB": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "descriptors": len([*(place / "fd").iterdir()]),
        "threads": len([*(place / "task").iterdir()]),
    }
