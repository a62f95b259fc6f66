"""Live stock: sold-out items are gone in two seconds, while many change and many are asked for.

    python -m benchmarks.live_changes [--minutes 5] [--items 100000] [--per-minute 50000] [--json]

One process changes the stock of random items, 0 or 5 pieces at a time. Eight processes ask for
related items, half of the time under `where="stock > 0"`. An entry is late where its item was sold
out two seconds before the question began, and nothing has changed of it since.
"""

import argparse
import multiprocessing
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import SynchronizedArray
from multiprocessing.synchronize import Event

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import Row, report
from benchmarks.schema import running
from benchmarks.serving import item_ids, random_lists, used_memory
from benchmarks.serving_fields import catalogue
from benchmarks.soak_servers import resources
from benchmarks.timing import quantile
from recommender.publishing.embedded import server_binary
from recommender.publishing.item_changes import ItemChanges
from recommender.publishing.publisher import Publisher
from recommender.publishing.records import Records
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems

SHOP, READERS, PAUSE_S = "acme-live", 8, 0.02
BATCH, STOCK = 200, 5
LATE_S = 2.0
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the shop, and for how long."""

    items: int
    per_minute: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What one reader has seen: events by name, milliseconds of its calls, its memory in MB."""

    counts: Counter[str]
    times: list[float]
    memory: tuple[float, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Stock changes under readers.")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--per-minute", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load = Load(options.items, options.per_minute, 60 * options.minutes)
    with running(shutil.which("redis-server") or str(server_binary())) as store:
        ids, lists = item_ids(load.items), random_lists(load.items, 0)
        records = Records.of(catalogue(ids))
        publisher = Publisher(store, SHOP, grace_s=0.0)
        publisher.publish(ids, [lists], records=records, lists_key="0", recipe_digest="0")
        url = f"unix://{store.connection_pool.connection_kwargs['path']}"
        rows = measured(url, load, lambda: used_memory(store))
    report(rows, as_json=options.json)


def measured(url: str, load: Load, memory: Callable[[], int]) -> list[Row]:
    """Run the writer here and the readers in processes of their own."""
    context = multiprocessing.get_context("spawn")
    sold_out = context.Array("d", load.items)
    np.ctypeslib.as_array(sold_out.get_obj())[:] = NEVER
    done = context.Event()
    pipes = [context.Pipe(duplex=False) for _ in range(READERS)]
    readers = [
        context.Process(target=read, args=(url, load.items, sold_out, done, sender, number))
        for number, (_, sender) in enumerate(pipes)
    ]
    for reader in readers:
        reader.start()
    for receiver, _ in pipes:
        receiver.recv()  # the lookup is ready
    written, memories = written_changes(url, load, sold_out, memory)
    done.set()
    seen: list[Seen] = [receiver.recv() for receiver, _ in pipes]
    for reader in readers:
        reader.join()
    counts = sum((one.counts for one in seen), Counter[str]())
    answers = counts["answers"]
    times = np.array([one for each in seen for one in each.times])
    return [
        Row("stock changes a minute", written / load.seconds * 60, "changes"),
        Row(f"answers to {READERS} readers", answers, "answers"),
        *(Row(what, counts[what], "answers") for what in ("exceptions", "fallbacks", "late")),
        Row("sold-out entries that were left out", counts["left out"], "entries"),
        Row("a lookup, p50", quantile(times, 0.5), "ms"),
        Row("a lookup, p99", quantile(times, 0.99), "ms"),
        Row("memory of the server, compared with the first fifth", memories[1], "MB", memories[0]),
        Row(
            "memory of a reader, compared with the first fifth",
            max(one.memory[1] for one in seen),
            "MB",
            max(one.memory[0] for one in seen),
        ),
    ]


def written_changes(
    url: str, load: Load, sold_out: "SynchronizedArray[float]", memory: Callable[[], int]
) -> tuple[int, tuple[float, float]]:
    """Change stocks at an even pace; how many, and MB of the server after a fifth and at last."""
    changes, rng = ItemChanges(open_store(url), SHOP), np.random.default_rng(1)
    times: NDArray[np.float64] = np.ctypeslib.as_array(sold_out.get_obj())
    started, written, early = time.monotonic(), 0, 0.0
    while (past := time.monotonic() - started) < load.seconds:
        if past > load.seconds / 5 and not early:
            early = memory() / 1e6
        if written > past * load.per_minute / 60:
            time.sleep(0.005)
            continue
        rows = rng.choice(load.items, BATCH, replace=False)
        gone = rng.random(BATCH) < 0.5
        times[rows] = NEVER
        changes.update(
            {"id": f"SKU{row:05d}", "stock": 0 if sold else STOCK}
            for row, sold in zip(rows.tolist(), gone.tolist(), strict=True)
        )
        times[rows[gone]] = time.monotonic()
        written += BATCH
    return written, (early, memory() / 1e6)


def read(
    url: str,
    n_items: int,
    sold_out: "SynchronizedArray[float]",
    done: Event,
    sender: Connection,
    number: int,
) -> None:
    """Ask until it is done, and send what was seen."""
    times: NDArray[np.float64] = np.ctypeslib.as_array(sold_out.get_obj())
    rng, counts, took = np.random.default_rng(100 + number), Counter[str](), list[float]()
    lookup, started, early = RelatedItems(url, SHOP), time.monotonic(), 0.0
    lookup.wait_ready(30.0)
    sender.send("ready")
    while not done.wait(PAUSE_S):
        item = f"SKU{rng.integers(n_items):05d}"
        begun = time.monotonic()
        try:
            answer = lookup.get(item, where=rng.choice(["", "stock > 0"]).item())
        except Exception as error:
            counts["exceptions"] += 1
            counts[f"{type(error).__name__}: {error}"] += 1
            continue
        took.append(1000 * (time.monotonic() - begun))
        counts["answers"] += 1
        counts["fallbacks"] += answer.status not in {"ok", "topped_up"}
        counts["left out"] += sum(answer.dropped.values())
        shown = times[[int(one.removeprefix("SKU")) for one in answer.ids]]
        counts["late"] += bool((shown < begun - LATE_S).any())
        if not early and time.monotonic() - started > 30:
            early = resources(os.getpid())["memory, MB"]
    lookup.close()
    now = resources(os.getpid())["memory, MB"]
    sender.send(Seen(counts, took, (early or now, now)))


if __name__ == "__main__":
    main()
