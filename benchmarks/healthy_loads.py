"""Loads on a healthy Redis that are hard on the reader: how often its breaker opens for nothing.

    python -m benchmarks.healthy_loads [--seconds 10] [--json]

A server is started, and the lookup has no cache. The loads are

- stalls: 50 tasks of an event loop that something blocks for 60 ms, four times a second;
- cancelled: 50 tasks, of whose questions 5 % are cancelled before their answer;
- both: stalls and cancelled together;
- start: 32 threads, from the moment a process starts.

Each task and thread asks every 20 ms.
"""

import argparse
import asyncio
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from benchmarks.machine import Row, report
from benchmarks.schema import running
from benchmarks.serving import SHOP, item_ids, random_lists
from recommender.publishing.embedded import server_binary
from recommender.publishing.publisher import Publisher
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.lookup import RelatedItems

TASKS, THREADS, N_ITEMS = 50, 32, 1_000
STALL_S, STALL_EVERY_S = 0.06, 0.25
CANCELLED = 0.05
PAUSE_S = 0.02

OWN = frozenset({"ok", "topped_up"})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Loads on a healthy Redis.")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    with running(shutil.which("redis-server") or str(server_binary())) as store:
        ids, lists = item_ids(N_ITEMS), random_lists(N_ITEMS, 0)
        Publisher(store, SHOP, grace_s=0.0).publish(ids, [lists], lists_key="0", recipe_digest="0")
        url = f"unix://{store.connection_pool.connection_kwargs['path']}"
        for name, stalls, cancelled in (
            ("stalls", True, 0.0),
            ("cancelled", False, CANCELLED),
            ("both", True, CANCELLED),
        ):
            asking = tasks_ask(url, options.seconds, stalls=stalls, cancelled=cancelled)
            rows += rows_of(name, *asyncio.run(asking))
        rows += rows_of("start", *threads_ask(url, options.seconds))
    report(rows, as_json=options.json)


def rows_of(load: str, statuses: Counter[str], stats: Mapping[str, int]) -> list[Row]:
    """Answers, the share of them that are no list of the item, and openings of the breaker."""
    replaced = sum(count for status, count in statuses.items() if status not in OWN)
    return [
        Row(f"{load}: answers", statuses.total(), ""),
        Row(f"{load}: fallbacks", 100 * replaced / max(statuses.total(), 1), "%"),
        Row(f"{load}: openings of the breaker", stats["breaker_opened"], ""),
    ]


async def tasks_ask(
    url: str, seconds: float, *, stalls: bool, cancelled: float
) -> tuple[Counter[str], Mapping[str, int]]:
    """Tasks that ask one question after another; the answers by status, and the counters."""
    lookup = AsyncRelatedItems(url, SHOP, cache_items=0)
    await lookup.wait_ready()
    chance = random.Random(0)
    statuses: Counter[str] = Counter()
    until = time.monotonic() + seconds

    async def ask() -> None:
        await asyncio.sleep(chance.random())
        while time.monotonic() < until:
            question = asyncio.ensure_future(lookup.get(f"SKU{chance.randrange(N_ITEMS):05d}"))
            if chance.random() < cancelled:
                await asyncio.sleep(0)
                question.cancel()
            with suppress(asyncio.CancelledError):
                statuses[(await question).status] += 1
            await asyncio.sleep(PAUSE_S)

    async def stall() -> None:
        while time.monotonic() < until:
            await asyncio.sleep(STALL_EVERY_S)
            time.sleep(STALL_S)  # what is measured

    await asyncio.gather(*(ask() for _ in range(TASKS)), *([stall()] if stalls else []))
    stats = dict(lookup.stats())
    await lookup.aclose()
    return statuses, stats


def threads_ask(url: str, seconds: float) -> tuple[Counter[str], Mapping[str, int]]:
    """Threads that ask at a pace; the answers by status, and the counters."""
    lookup = RelatedItems(url, SHOP, cache_items=0)
    counts: list[Counter[str]] = [Counter() for _ in range(THREADS)]
    until = time.monotonic() + seconds

    def ask(statuses: Counter[str]) -> None:
        chance = random.Random(id(statuses))
        while time.monotonic() < until:
            statuses[lookup.get(f"SKU{chance.randrange(N_ITEMS):05d}").status] += 1
            time.sleep(PAUSE_S)

    threads = [threading.Thread(target=ask, args=(statuses,)) for statuses in counts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = dict(lookup.stats())
    lookup.close()
    return sum(counts, Counter()), stats


if __name__ == "__main__":
    main()
