"""Serving: a lookup beside the bare client, swaps and faults under load, how fast lists load.

    python -m benchmarks.serving [--quick] [--json]

One run, one server of its own: Debian's redis-server where it is installed, else the embedded
Valkey. `--quick` uses fewer items and swaps and takes less than 50 seconds; the rows say how many.
"""

import argparse
import multiprocessing
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event

import numpy as np
from redis import Redis

from benchmarks.machine import Row, report
from benchmarks.schema import running
from recommender.ids import ItemIds
from recommender.neighbours import RelatedLists
from recommender.serving.embedded import server_binary
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from recommender.serving.publisher import Publisher

SHOP, ENTRIES, BATCH = "acme", 36, 50
READERS = 2


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    items: int
    swaps: int
    reads: int
    calls: int


FULL = Size(items=100_000, swaps=100, reads=20_000, calls=2_000)
QUICK = Size(items=20_000, swaps=5, reads=5_000, calls=500)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What serving costs.")
    parser.add_argument("--quick", action="store_true", help="fewer items, under 50 seconds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    binary = shutil.which("redis-server") or str(server_binary())
    with running(binary) as store:
        rows = measured(store, size)
    rows += faults(size)
    report(rows, as_json=options.json)


def measured(store: "Redis", size: Size) -> list[Row]:
    """Publishing, memory, latencies, and swaps under load on one server."""
    url = f"unix://{store.connection_pool.connection_kwargs['path']}"
    ids = ItemIds(tuple(f"SKU{number:05d}" for number in range(size.items)))
    lists = random_lists(size.items, seed=0)
    publisher = Publisher(store, SHOP, grace_s=0.0)
    before = used_memory(store)
    started = time.perf_counter()
    generation = publisher.publish(ids, [lists], lists_key="0", recipe_digest="0")
    published_s = time.perf_counter() - started
    used = (used_memory(store) - before) / size.items
    rows = [
        Row(f"publish {size.items:,} lists of {ENTRIES}", size.items / published_s, "lists/s"),
        Row(
            "memory an item, beside the bytes of its ids",
            used,
            "bytes",
            float(ENTRIES * len(ids.ids[0])),
        ),
    ]
    rows += latencies(url, store, ids, generation.id, size)
    return rows + swaps(url, store, ids, size)


def used_memory(store: "Redis") -> int:
    """Bytes the server uses, the buffers of this client's earlier commands not counted."""
    store.connection_pool.disconnect()
    return int(store.info("memory")["used_memory"])


def latencies(url: str, store: "Redis", ids: ItemIds, generation: int, size: Size) -> list[Row]:
    """One and fifty lists through the lookup and through the bare client, in turn."""
    lookup = RelatedItems(url, SHOP, deadline_s=5.0, cache_items=1)
    lookup.get(ids.ids[0])
    keys = Keys(SHOP)
    rng = np.random.default_rng(0)
    asked = [ids.ids[row] for row in rng.integers(0, len(ids), size.reads).tolist()]

    def name(item: str) -> str:
        return keys.related_list(generation, "related", item)

    def bare_get(item: str) -> object:
        return store.get(name(item))

    def bare_mget(page: list[str]) -> object:
        return store.mget([name(item) for item in page])

    one = paired(
        [partial(lookup.get, item) for item in asked],
        [partial(bare_get, item) for item in asked],
    )
    pages = [asked[at : at + BATCH] for at in range(0, len(asked) - BATCH, BATCH)] * 4
    fifty = paired(
        [partial(lookup.get_many, page) for page in pages],
        [partial(bare_mget, page) for page in pages],
    )
    lookup.close()
    warm = RelatedItems(url, SHOP, deadline_s=5.0)
    for item in asked[:100]:
        warm.get(item)
    hits = timed([partial(warm.get, item) for item in asked[:100] * 20])
    warm.close()
    return [
        Row("get, p50", quantile(one[0], 0.5), "us", quantile(one[1], 0.5)),
        Row("get, p99", quantile(one[0], 0.99), "us", quantile(one[1], 0.99)),
        Row("get from the local cache, p50", quantile(hits, 0.5), "us"),
        Row("get_many of 50, p50", quantile(fifty[0], 0.5), "us", quantile(fifty[1], 0.5)),
    ]


def swaps(url: str, store: "Redis", ids: ItemIds, size: Size) -> list[Row]:
    """Readers beside a publisher that republishes everything again and again."""
    context = multiprocessing.get_context("spawn")
    done, results = context.Event(), context.Queue()
    readers = [
        context.Process(target=read_until, args=(url, size.items, done, results, seed))
        for seed in range(READERS)
    ]
    for reader in readers:
        reader.start()
    publisher = Publisher(store, SHOP, grace_s=2.0)
    for number in range(1, size.swaps + 1):
        lists = random_lists(size.items, seed=number)
        publisher.publish(ids, [lists], lists_key=str(number), recipe_digest="0")
    done.set()
    found = [results.get() for _ in readers]
    for reader in readers:
        reader.join()
    times = np.concatenate([times for times, _ in found])
    counts = {name: sum(one[name] for _, one in found) for name in found[0][1]}
    what = f"over {size.swaps} swaps of {size.items:,} lists"
    return [
        Row(f"reads {what}", float(len(times)), "reads"),
        Row(f"get, p99.9 {what}", quantile(times, 0.999) / 1000, "ms"),
        *(Row(f"{name} {what}", float(count), "") for name, count in counts.items()),
    ]


def read_until(
    url: str,
    n_items: int,
    done: Event,
    results: "multiprocessing.Queue[tuple[np.ndarray, dict[str, int]]]",
    seed: int,
) -> None:
    """Read at random until told to stop; every list must be whole and of one build."""
    lookup = RelatedItems(url, SHOP, deadline_s=5.0, cache_items=1)
    rng = np.random.default_rng(seed)
    times: list[float] = []
    counts = {"exceptions": 0, "misses": 0, "mixed answers": 0}
    while not done.is_set():
        for row in rng.integers(0, n_items, 100).tolist():
            started = time.perf_counter()
            try:
                answer = lookup.get(f"SKU{row:05d}", n=ENTRIES)
            except Exception:
                counts["exceptions"] += 1
                continue
            times.append(time.perf_counter() - started)
            counts["misses"] += answer.status != "ok" or len(answer.items) != ENTRIES
            counts["mixed answers"] += len({item.evidence for item in answer.items}) > 1
        time.sleep(0.002)
    results.put((np.array(times) * 1e6, counts))


def random_lists(n_items: int, seed: int) -> RelatedLists:
    """Lists of `ENTRIES` other items; the evidence of a build is one and tells it from the next."""
    rng = np.random.default_rng(seed)
    steps = rng.choice(np.arange(1, min(n_items, 10_000)), ENTRIES, replace=False)
    rows = (np.arange(n_items)[:, None] + steps) % n_items
    scores = np.sort(rng.uniform(0.01, 1, ENTRIES))[::-1]
    return RelatedLists(
        "related",
        np.arange(n_items + 1, dtype=np.int64) * ENTRIES,
        rows.ravel().astype(np.int32),
        np.tile(scores, n_items).astype(np.float32),
        np.full(n_items * ENTRIES, seed % 3, dtype=np.uint8),
    )


def faults(size: Size) -> list[Row]:
    """A lookup whose server is gone: refused, silent, or cutting replies."""
    rows = []
    deadline_s = 0.05
    for name, server in (("refused", refused), ("black hole", black_hole), ("reset", resetting)):
        with server() as port:
            lookup = RelatedItems(f"redis://127.0.0.1:{port}", SHOP, deadline_s=deadline_s)
            ask = partial(lookup.get, "a")
            first, later = timed([ask] * 20), timed([ask] * size.calls)
            lookup.close()
        rows += [
            Row(f"Redis {name}: worst call", float(max(first.max(), later.max())) / 1000, "ms"),
            Row(f"Redis {name}: p99 once the breaker is open", quantile(later, 0.99) / 1000, "ms"),
        ]
    return rows


@contextmanager
def refused() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def black_hole() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server.getsockname()[1]


@contextmanager
def resetting() -> Iterator[int]:
    """A server that breaks off after the first bytes of a reply."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        ended = threading.Event()

        def serve() -> None:
            server.settimeout(0.1)
            while not ended.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                client.recv(4096)
                client.send(b"$100\r\nhalf")
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        ended.set()
        thread.join()


def paired(
    ours: list[Callable[[], object]], bare: list[Callable[[], object]]
) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds of each call, the two kinds in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for pair in zip(ours, bare, strict=True):
        for calls, kept in zip(pair, times, strict=True):
            started = time.perf_counter()
            calls()
            kept.append(time.perf_counter() - started)
    return np.array(times[0]) * 1e6, np.array(times[1]) * 1e6


def timed(calls: list[Callable[[], object]]) -> np.ndarray:
    """Microseconds of each call."""
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return np.array(times) * 1e6


def quantile(times: np.ndarray, share: float) -> float:
    """The value below which a share of the times lies."""
    return float(np.quantile(times, share))


if __name__ == "__main__":
    main()
