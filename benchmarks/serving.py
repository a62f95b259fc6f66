"""Serving: lookups compared with the bare client, HTTP with an empty route; swaps and faults.

    python -m benchmarks.serving [--quick] [--json]

Each run starts a server: Debian's redis-server where it is installed, else the embedded Valkey.
`--quick` uses fewer items and swaps and takes less than 50 seconds; the rows say how many. The full
run takes about ten minutes and reports its progress on stderr.
"""

import argparse
import multiprocessing
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event

import numpy as np
from redis import Redis

from benchmarks.broken_servers import black_hole, refused, resetting
from benchmarks.http_load import http_rows
from benchmarks.machine import Row, report
from benchmarks.schema import running
from benchmarks.serving_fields import field_rows
from benchmarks.timing import paired, quantile, timed
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, RelatedLists
from recommender.core.related import EVIDENCE, RelatedList
from recommender.publishing.embedded import server_binary
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems

SHOP, ENTRIES, BATCH = "acme", 36, 50
READERS = 2
PAUSE_S = 0.02
"""The pause of a reader after a hundred lists, so that each reads about 3,000 a second."""
BUILDS = 3
"""Builds that take turns; each has its own evidence, which shows where a list comes from."""
SMALL = 10_000
HIDDEN = 100


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. With fewer items, fixed costs would weigh more than in use."""

    items: int
    swaps: int
    reads: int
    calls: int
    http_s: float


FULL = Size(items=100_000, swaps=100, reads=20_000, calls=2_000, http_s=10)
QUICK = Size(items=60_000, swaps=4, reads=5_000, calls=500, http_s=3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What serving costs.")
    parser.add_argument("--quick", action="store_true", help="fewer items, under 50 seconds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    binary = shutil.which("redis-server") or str(server_binary())
    with running(binary) as store:
        log("publish a small shop")
        rows = publishing(store, SMALL)
    with running(binary) as store:
        rows = measured(store, size) + rows[1:]
    log("faults")
    rows += faults(size)
    report(rows, as_json=options.json)


def log(what: str) -> None:
    """Write to stderr which part begins, and when."""
    sys.stderr.write(f"{time.perf_counter() - STARTED:6.1f} s  {what}\n")


STARTED = time.perf_counter()


def measured(store: "Redis", size: Size) -> list[Row]:
    """Publishing, memory, latencies, HTTP, and swaps under load on one server."""
    url = f"unix://{store.connection_pool.connection_kwargs['path']}"
    log(f"publish {size.items:,} lists")
    rows = publishing(store, size.items)
    ids = item_ids(size.items)
    log("read")
    rows += latencies(url, store, ids, size)
    log("records")
    few = item_ids(SMALL)
    rows += field_rows(url, store, few, random_lists(SMALL, 0), size.reads)
    log("HTTP")
    rows += http_rows(url, SHOP, ids.ids, size.http_s)
    return rows + swaps(url, store, ids, size)


def item_ids(n_items: int) -> ItemIds:
    """Ids of eight characters."""
    return ItemIds(tuple(f"SKU{number:05d}" for number in range(n_items)))


def publishing(store: "Redis", n_items: int) -> list[Row]:
    """The first generation: how fast it is loaded, and how much memory it takes.

    The key table of a server doubles in size, so it is half empty just after a power of two, and
    scripts and control keys take the same memory for any shop. So a small shop has a row too.
    """
    ids, lists = item_ids(n_items), random_lists(n_items, 0)
    before = used_memory(store)
    started = time.perf_counter()
    Publisher(store, SHOP, grace_s=0.0).publish(ids, [lists], lists_key="0", recipe_digest="0")
    published_s = time.perf_counter() - started
    used = (used_memory(store) - before) / n_items
    memory = f"memory an item of {n_items:,}, compared with the bytes of its ids"
    return [
        Row(f"publish {n_items:,} lists of {ENTRIES}", n_items / published_s, "lists/s"),
        Row(memory, used, "bytes", float(ENTRIES * len(ids.ids[0]))),
    ]


def used_memory(store: "Redis") -> int:
    """Bytes that the server uses, without the buffers of this client's earlier commands."""
    store.connection_pool.disconnect()
    return int(store.info("memory")["used_memory"])


def latencies(url: str, store: "Redis", ids: ItemIds, size: Size) -> list[Row]:
    """One and fifty lists through the lookup and through the bare client, in turn.

    Entries are made when they are first read, so each figure comes twice: answered, and with every
    entry read. In the last row the shop has hidden items, which must be left out.
    """
    lookup = RelatedItems(url, SHOP, deadline_s=5.0, cache_items=1)
    lookup.wait_ready(5.0)
    keys = Keys(SHOP)
    rng = np.random.default_rng(0)
    asked = [ids.ids[row] for row in rng.integers(0, len(ids), size.reads).tolist()]
    pages = [asked[at : at + BATCH] for at in range(0, len(asked) - BATCH, BATCH)] * 4

    def name(item: str) -> str:
        return keys.related_list(1, "related", item)

    def bare_get(item: str) -> object:
        return store.get(name(item))

    def bare_mget(page: list[str]) -> object:
        return store.mget([name(item) for item in page])

    def read_entries(item: str) -> object:
        return lookup.get(item).items

    def read_entries_many(page: list[str]) -> object:
        return [answer.items for answer in lookup.get_many(page)]

    one, one_read = paired(lookup.get, bare_get, asked), paired(read_entries, bare_get, asked)
    rows = [
        compared("get, answered, p50", one),
        compared("get, answered, p99", one, 0.99),
        compared("get, entries read, p50", one_read),
        compared("get, entries read, p99", one_read, 0.99),
        *cache_hits(url, asked[:100]),
    ]
    fifty = f"get_many of {BATCH}"
    many = paired(lookup.get_many, bare_mget, pages)
    many_read = paired(read_entries_many, bare_mget, pages)
    rows += [
        compared(f"{fifty}, answered, p50", many),
        compared(f"{fifty}, entries read, p50", many_read),
    ]
    with hidden_items(store, lookup, ids.ids[:HIDDEN]):
        many = paired(lookup.get_many, bare_mget, pages)
    rows.append(compared(f"{fifty}, answered, {HIDDEN} items hidden, p50", many))
    lookup.close()
    return rows


def compared(name: str, times: tuple[np.ndarray, np.ndarray], share: float = 0.5) -> Row:
    """A quantile of the lookup, compared with that of the bare client."""
    return Row(name, quantile(times[0], share), "us", quantile(times[1], share))


@contextmanager
def hidden_items(store: "Redis", lookup: RelatedItems, items: Sequence[str]) -> Iterator[None]:
    """Hide items, and wait until the lookup has polled twice, after which it leaves them out."""
    hidden = Hidden(store, SHOP)
    hidden.hide(items)
    polls = lookup.stats()["polls"] + 2
    while lookup.stats()["polls"] < polls:
        time.sleep(0.01)
    yield
    hidden.unhide(items)


def cache_hits(url: str, items: list[str]) -> list[Row]:
    """Lookups that the local cache answers."""
    warm = RelatedItems(url, SHOP, deadline_s=5.0)
    warm.wait_ready(5.0)
    for item in items:
        warm.get(item)
    answered = timed([partial(warm.get, item) for item in items * 20])
    read_entries = timed([partial(lambda item: warm.get(item).items, item) for item in items * 20])
    warm.close()
    return [
        Row("get from the local cache, answered, p50", quantile(answered, 0.5), "us"),
        Row("get from the local cache, entries read, p50", quantile(read_entries, 0.5), "us"),
    ]


def swaps(url: str, store: "Redis", ids: ItemIds, size: Size) -> list[Row]:
    """Readers while a publisher republishes everything again and again."""
    context = multiprocessing.get_context("spawn")
    done, results = context.Event(), context.Queue()
    readers = [
        context.Process(target=read_until, args=(url, size.items, done, results, seed))
        for seed in range(READERS)
    ]
    for reader in readers:
        reader.start()
    publisher = Publisher(store, SHOP, grace_s=2.0)
    builds = [random_lists(size.items, build) for build in range(BUILDS)]
    for number in range(1, size.swaps + 1):
        lists = builds[number % BUILDS]
        publisher.publish(ids, [lists], lists_key=str(number), recipe_digest="0")
        if number % max(1, size.swaps // 20) == 0:
            log(f"swap {number} of {size.swaps}")
    done.set()
    found = [results.get() for _ in readers]
    for reader in readers:
        reader.join()
    times = np.concatenate([times for times, _ in found])
    counts = {name: sum(one[name] for _, one in found) for name in found[0][1]}
    what = f"over {size.swaps} swaps of {size.items:,} lists"
    return [
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
    """Read at random until `done` is set; every answer must be whole and of one build.

    Ninety single lists, then a batch of ten, which must be of one generation.
    """
    lookup = RelatedItems(url, SHOP, deadline_s=5.0, cache_items=1)
    lookup.wait_ready(5.0)
    rng = np.random.default_rng(seed)
    times: list[float] = []
    counts = {"lists read": 0, "exceptions": 0, "misses": 0, "mixed answers": 0}
    while not done.is_set():
        asked = [f"SKU{row:05d}" for row in rng.integers(0, n_items, 100).tolist()]
        try:
            for item in asked[:90]:
                started = time.perf_counter()
                answer = lookup.get(item, n=ENTRIES)
                times.append(time.perf_counter() - started)
                judge([answer], counts)
            judge(lookup.get_many(asked[90:], n=ENTRIES), counts)
        except Exception:
            counts["exceptions"] += 1
        time.sleep(PAUSE_S)
    results.put((np.array(times) * 1e6, counts))


def judge(answers: list[RelatedList], counts: dict[str, int]) -> None:
    """Count the lists read, those that were missing, and answers that mix builds."""
    counts["lists read"] += len(answers)
    generations = {answer.generation for answer in answers}
    own = EVIDENCE[(min(generations) - 1) % BUILDS]
    found = {entry.evidence for answer in answers for entry in answer.items}
    counts["mixed answers"] += len(generations) > 1 or found != {own}
    counts["misses"] += sum(
        answer.status != "ok" or len(answer.items) != ENTRIES for answer in answers
    )


def random_lists(n_items: int, build: int) -> RelatedLists:
    """Lists of `ENTRIES` other items, all of one evidence."""
    rng = np.random.default_rng(build)
    steps = rng.choice(np.arange(1, min(n_items, 10_000)), ENTRIES, replace=False)
    rows = (np.arange(n_items)[:, None] + steps) % n_items
    scores = np.sort(rng.uniform(0.01, 1, ENTRIES))[::-1]
    return RelatedLists(
        "related",
        np.arange(n_items + 1, dtype=np.int64) * ENTRIES,
        Entries(
            rows.ravel().astype(np.int32),
            np.tile(scores, n_items).astype(np.float32),
            np.full(n_items * ENTRIES, build, dtype=np.uint8),
        ),
    )


def faults(size: Size) -> list[Row]:
    """A lookup whose server refuses connections, is silent, or cuts replies."""
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


if __name__ == "__main__":
    main()
