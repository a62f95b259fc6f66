"""A shop that real workers reindex: its servers, its runs, and what was made of them."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kombu.connection import Connection
from redis import Redis

from recommender.artifacts.runs import Run, all_runs, find_run
from recommender.artifacts.store import ArtifactStore
from recommender.publishing.generations import Generations
from recommender.serving.keys import Keys
from recommender.settings.loading import load
from tests.serving.servers import until
from tests.support.repository import REPOSITORY
from tests.support.shop_files import write_small_shop
from tests.workers.fleet import (
    QUEUE,
    Server,
    Worker,
    call,
    envelope,
    environment,
    headers,
    server,
    worker,
)
from workers.celery import QUEUES

ITEMS = ["20000", "20037"]
LEASE_S = 6.0
MADE = re.compile(r"event=made step=(\S+) shard=(\d+).* run=(\S+)")

FLEET = """
[store]
url = "{store}/0"
lease_s = {lease_s}

[broker]
url = "{broker}"

[state]
user_key = "0123456789abcdef"

[limits]
shard_texts = {texts}
shard_items = {items}
"""


@dataclass
class Shop:
    """The generated shop with a store and a broker of its own."""

    folder: Path
    config: Path
    store: Server
    broker: Server

    @property
    def artifacts(self) -> ArtifactStore:
        return load(self.config).artifact_store()

    def run(self, number: int) -> Run:
        run = find_run(self.artifacts, number)
        assert run is not None
        return run

    def newest(self) -> Run:
        return all_runs(self.artifacts)[0]

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`python -m workers ARGUMENTS --config` of this shop."""
        return subprocess.run(
            [sys.executable, "-m", "workers", *arguments, "--config", str(self.config)],
            cwd=REPOSITORY,
            env=environment(self.config),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    @contextmanager
    def workers(self, name: str, processes: int = 2, failpoint: str = "") -> Iterator[Worker]:
        place = self.folder / name
        url = self.broker.url
        with worker(place, [self.config], url, processes=processes, failpoint=failpoint) as running:
            yield running

    def reconcile(self) -> None:
        """What beat sends every minute."""
        self.send("workers.reconcile")

    def send(self, task: str) -> None:
        """Send one of the tasks that take a shop."""
        url = load(self.config).broker.url
        if url.startswith("amqp"):
            with Connection(url) as broker, broker.SimpleQueue(QUEUES["cpu"]) as waiting:  # type: ignore[no-untyped-call]
                waiting.put(json.loads(call("acme")), headers=headers(task=task))
            return
        with Redis.from_url(url) as queue:
            queue.lpush(QUEUE, envelope(["acme"], head=headers(task=task)))

    def ends(self, number: int, state: str = "published", timeout_s: float = 90) -> Run:
        """Wait for the end of a run, reconciling as beat does, and see how it ended."""
        checks = [0]

        def ended() -> bool:
            checks[0] += 1
            if checks[0] % 400 == 0:
                self.reconcile()
            return self.run(number).state != "running"

        until(ended, timeout_s)
        run = self.run(number)
        assert run.state == state, run.error
        return run

    def made(self) -> Counter[tuple[str, int]]:
        """How often each shard of each step was made, by the logs of all workers."""
        logs = (path.read_text(errors="replace") for path in self.folder.rglob("worker.log"))
        found = (match for log in logs for match in MADE.finditer(log))
        return Counter((match[1], int(match[2])) for match in found)

    def encoded(self) -> Counter[tuple[str, int]]:
        return Counter({task: n for task, n in self.made().items() if task[0] == "encode.text"})


@contextmanager
def fleet_shop(folder: Path, *, texts: int = 16, items: int = 20) -> Iterator[Shop]:
    """The generated shop in small shards, with servers that run."""
    with server(folder / "store") as store, server(folder / "broker") as broker:
        config = write_small_shop(folder / "shop")
        tables = FLEET.format(
            store=store.url, broker=broker.url, lease_s=LEASE_S, texts=texts, items=items
        )
        config.write_text(config.read_text() + tables)
        yield Shop(folder, config, store, broker)


def artifacts_of(folder: Path) -> dict[Path, bytes]:
    """All artifacts of the shop below a folder, without the records of its runs."""
    root = folder / "shop" / ".recommender" / "artifacts" / "acme"
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != "runs"
    }


def lists_of(store: Server) -> dict[bytes, bytes]:
    """All lists that are live, without the number of their generation in their names."""
    with Redis.from_url(f"{store.url}/0") as client:
        live = Generations(client, Keys("acme"), 100).live()
        assert live is not None
        names = list(client.scan_iter(match=f"rec:acme:{live.generation}:*", count=1000))
        return {name.split(b":", 3)[3]: client.get(name) or b"" for name in names}
