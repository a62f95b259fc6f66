"""What hostile clients cost `recommender serve`: large batches, and requests that never arrive.

    python -m benchmarks.hostile_clients [--json]

The service runs in a process that may have 256 descriptors. One client sends the batch that makes
the largest answer, and one that is refused. Then benchmarks/half_sent.py opens 300 connections,
sends half a request on each, and goes on to replace them, while honest requests are timed.
"""

import argparse
import http.client
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.machine import Row, report
from benchmarks.schema import running
from benchmarks.serving import SHOP, item_ids, random_lists
from recommender.publishing.embedded import server_binary
from recommender.publishing.publisher import Publisher

DESCRIPTORS, HALF_SENT, HONEST = 256, 300, 200
REPLACED = (100, 400)
LONGEST_S = 20.0
"""How long honest requests are timed, if there are not as many before."""
PAUSE_S = 0.01
"""Between two honest requests, which are so spread over the attack."""
SHARES = (0.5, 0.99, 1.0)
BATCHES = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Hostile clients of recommender serve.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with running(shutil.which("redis-server") or str(server_binary())) as store:
        ids, lists = item_ids(1_000), random_lists(1_000, 0)
        Publisher(store, SHOP, grace_s=0.0).publish(ids, [lists], lists_key="0", recipe_digest="0")
        url = f"unix://{store.connection_pool.connection_kwargs['path']}"
        with TemporaryDirectory() as folder, _serving(url, Path(folder)) as (port, process, log):
            rows = batches(port, process, ids.ids) + half_sent(port, process)
            rows.append(Row("log", log.stat().st_size / 1000, "kB"))
    report(rows, as_json=options.json)


@contextmanager
def _serving(url: str, folder: Path) -> Iterator[tuple[int, int, Path]]:
    config, log = folder / "recommender.toml", folder / "log"
    config.write_text(f'shop = "{SHOP}"\n[store]\nurl = "{url}"\n')
    command = [
        sys.executable,
        "-m",
        "recommender.cli",
        "serve",
        "--port",
        "0",
        "--config",
        str(config),
    ]
    limits = (DESCRIPTORS, DESCRIPTORS)
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
        ) as process,
    ):
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().split(":")[2].split("/")[0]), process.pid, log
        finally:
            process.terminate()


def batches(port: int, process: int, ids: tuple[str, ...]) -> list[Row]:
    """The largest answers, the largest that a placement can make, and the memory they take."""
    before = resident_mb(process)
    _, allowed = ask(port, {"items": ids[:100], "n": 1000})
    status, large = ask(port, {"items": ids[:100], "placement": "p" * 1_000_000})
    for _ in range(BATCHES):
        ask(port, {"items": ids[:100], "placement": "p" * 1_000_000})
        ask(port, {"items": ids[:100], "n": 1000})
    return [
        Row("batch of 100 items, n = 1000: out", allowed / 1e6, "MB"),
        Row(f"batch with a placement of 1 MB (HTTP {status}): out", large / 1e6, "MB"),
        Row(f"memory after {2 * BATCHES} such batches", resident_mb(process), "MB", before),
    ]


def ask(port: int, batch: dict[str, object]) -> tuple[int, int]:
    """Send a batch; the status and the size of the answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.request("POST", f"/v1/{SHOP}/related", json.dumps(batch))
    answer = client.getresponse()
    size = len(answer.read())
    client.close()
    return answer.status, size


def half_sent(port: int, process: int) -> list[Row]:
    """Honest requests without an attack, then while half-sent ones are held and replaced."""
    rows = _waits("without an attack", honest(port))
    for per_s in REPLACED:
        before = cpu_s(process)
        with attacked(port, per_s):
            took = honest(port)
            rows += _waits(f"{HALF_SENT} half-sent, {per_s} new a second", took)
        rows.append(Row("processor time of the server meanwhile", cpu_s(process) - before, "s"))
    return [*rows, Row("load of the machine, processes", os.getloadavg()[0], "")]


def honest(port: int) -> list[float]:
    """How long honest requests took, in ms; infinite for those that were not answered."""
    took: list[float] = []
    until = time.monotonic() + LONGEST_S
    while len(took) < HONEST and time.monotonic() < until:
        began = time.perf_counter()
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        answered = False
        with suppress(OSError, http.client.HTTPException):
            client.request("GET", f"/v1/{SHOP}/items/SKU00001/related")
            answered = client.getresponse().status == 200
        took.append(1000 * (time.perf_counter() - began) if answered else float("inf"))
        client.close()
        time.sleep(PAUSE_S)
    return took


@contextmanager
def attacked(port: int, per_s: int) -> Iterator[None]:
    """An attack, which has just opened its connections."""
    command = [sys.executable, "-m", "benchmarks.half_sent", *map(str, (port, HALF_SENT, per_s))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdout.readline()
        try:
            yield
        finally:
            client.stdin.close()


def _waits(when: str, took: Sequence[float]) -> list[Row]:
    return [
        Row(f"honest requests answered, {when}", float(np.isfinite(took).sum()), ""),
        *(Row(f"  {share:.0%} within", float(np.quantile(took, share)), "ms") for share in SHARES),
    ]


def cpu_s(process: int) -> float:
    """The processor time that a process used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process: int) -> float:
    """The memory of a process."""
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
