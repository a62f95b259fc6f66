"""A soak: everything at once for some minutes, with faults, and what it cost in the end.

    python -m benchmarks.soak [--minutes 30] [--json]

A primary, a replica and a Sentinel run on loopback, and `recommender serve`. Threads, tasks of an
event loop and HTTP clients look lists up all the time. Meanwhile builds are published, rolled back,
refreshed and hidden from; every few seconds a publisher or the primary is killed, the primary or
the service is stopped for a moment (SIGSTOP), memory runs out, or the replica takes over.

An answer is wrong where its entries are not those of its item and of one build, and mixed where the
lists of one question are of two builds. Fallbacks count outside of the outages that were injected,
which end `RECOVERED_S` after the servers are back.
"""

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from redis import Redis

from benchmarks.machine import Row, report
from benchmarks.soak_servers import SHOP, Stack, resources, started
from recommender.core import failpoints
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, RelatedLists
from recommender.core.related import RelatedItem, RelatedList
from recommender.errors import RecommenderError
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import SomeLists
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems

N_ITEMS, DEPTH, BUILDS = 2_000, 3, 4
THREADS, TASKS, CLIENTS = 4, 10, 2
PAUSE_S = 0.02
EVERY_S, FAULT_EVERY_S = 1.0, 6.0
RECOVERED_S = 6.0
OWN = frozenset({"ok", "topped_up"})
IDS = ItemIds(tuple(f"item-{row}" for row in range(N_ITEMS)))


def build(number: int) -> RelatedLists:
    """Lists of the next items; all scores of a build are the same, and show which build it is."""
    rows = (np.arange(N_ITEMS)[:, None] + np.arange(1, DEPTH + 1)) % N_ITEMS
    entries = Entries(
        rows.ravel().astype(np.int32),
        np.full(rows.size, number / BUILDS, dtype=np.float32),
        np.zeros(rows.size, dtype=np.uint8),
    )
    offsets = np.arange(N_ITEMS + 1, dtype=np.int64) * DEPTH
    return RelatedLists("related", offsets, entries, np.arange(5, dtype=np.int32))


@dataclass
class Judge:
    """Judges answers as they come; `outages` are from and until when the servers were hurt."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    outages: list[tuple[float, float]] = field(default_factory=list)
    hurt: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, client: str, asked_at: float, found: Sequence[RelatedList]) -> None:
        """Count the lists of one question."""
        scores: set[float] = set()
        counts: Counter[str] = Counter({f"{client}: lists": len(found)})
        for answer in found:
            own = answer.status in OWN
            row = int(answer.item.removeprefix("item-"))
            near = {f"item-{(row + step) % N_ITEMS}" for step in range(1, DEPTH + 1)}
            of_item = {item.score for item in answer.items}
            if own and (len(of_item) > 1 or not {*answer.ids} <= near):
                counts["wrong"] += 1
            if own:
                scores |= of_item
            elif not self.excused(asked_at):
                counts[f"{client}: fallbacks"] += 1
        counts["mixed"] += len(scores) > 1
        with self.lock:
            self.counts += counts

    def excused(self, asked_at: float) -> bool:
        """Whether servers were hurt when this was asked, or a moment before."""
        late = self.outages[-1][1] + RECOVERED_S if self.outages else 0.0
        return self.hurt or asked_at < late

    def failed(self, client: str, error: Exception) -> None:
        """Count an exception."""
        with self.lock:
            self.errors[f"{client}: {type(error).__name__}: {error!s:.60}"] += 1

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Excuse fallbacks while the block runs, and a moment longer."""
        began, self.hurt = time.monotonic(), True
        try:
            yield
        finally:
            self.outages.append((began, time.monotonic()))
            self.hurt = False


# Who asks


def some_items(chance: random.Random) -> list[str]:
    """The items of a question."""
    return [f"item-{row}" for row in chance.sample(range(N_ITEMS), chance.choice((1, 1, 5)))]


def threads_ask(url: str, judge: Judge, ended: threading.Event) -> list[threading.Thread]:
    """Start threads that share a lookup."""
    lookup = RelatedItems(url, SHOP, cache_items=200)
    lookup.wait_ready()

    def ask(number: int) -> None:
        chance = random.Random(number)
        while not ended.wait(PAUSE_S):
            asked_at = time.monotonic()
            try:
                judge.answered("threads", asked_at, lookup.get_many(some_items(chance)))
            except Exception as error:
                judge.failed("threads", error)

    return [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]


def tasks_ask(url: str, judge: Judge, ended: threading.Event) -> threading.Thread:
    """Start an event loop of tasks that share a lookup."""

    async def main() -> None:
        lookup = AsyncRelatedItems(url, SHOP, cache_items=200)
        await lookup.wait_ready()

        async def ask(number: int) -> None:
            chance = random.Random(number)
            while not ended.is_set():
                await asyncio.sleep(PAUSE_S)
                asked_at = time.monotonic()
                try:
                    judge.answered("asyncio", asked_at, await lookup.get_many(some_items(chance)))
                except Exception as error:
                    judge.failed("asyncio", error)

        await asyncio.gather(*(ask(number) for number in range(TASKS)))
        await lookup.aclose()

    return threading.Thread(target=lambda: asyncio.run(main()))


def clients_ask(port: int, judge: Judge, ended: threading.Event) -> list[threading.Thread]:
    """Start clients of the service, which keep their connections."""

    def ask(number: int) -> None:
        chance = random.Random(number)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not ended.wait(PAUSE_S):
            asked_at = time.monotonic()
            try:
                client.request(
                    "POST", f"/v1/{SHOP}/related", json.dumps({"items": some_items(chance)})
                )
                found = json.loads(client.getresponse().read())["lists"]
                judge.answered("HTTP", asked_at, [answer_of(each) for each in found])
            except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
                client.close()
                if not judge.excused(asked_at):
                    judge.failed("HTTP", error)

    return [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]


def answer_of(plain: Mapping[str, Any]) -> RelatedList:
    """A list as the service answered it."""
    items = tuple(RelatedItem(**item) for item in plain["items"])
    about = (plain["item"], plain["placement"], plain["generation"], plain["status"])
    return RelatedList(*about, items, plain["token"])


# Who writes


def publish(url: str, number: int) -> None:
    """Publish one of the builds."""
    with open_store(url) as store:
        Publisher(store, SHOP, lease_s=5.0).publish(
            IDS, [build(number)], lists_key=str(number), recipe_digest="soak"
        )


def roll_back(url: str, _number: int) -> None:
    """Go back to the previous build."""
    with open_store(url) as store:
        Publisher(store, SHOP, lease_s=5.0).rollback()


def refresh(url: str, _number: int) -> None:
    """Lay a few lists of the live build over it."""
    with open_store(url) as store:
        publisher = Publisher(store, SHOP, lease_s=5.0)
        seen, (*_, full) = publisher.layers()
        rows = np.sort(np.random.default_rng().choice(N_ITEMS, 20, replace=False)).astype(np.int32)
        some = SomeLists(IDS, build(int(full.lists_key)), rows)
        publisher.lay_over([some], seen=seen, lists_key=full.lists_key)


def hide(url: str, number: int) -> None:
    """Hide some items, or show them again."""
    with open_store(url) as store:
        hidden, ids = Hidden(store, SHOP), [f"item-{row}" for row in range(0, N_ITEMS, 50)]
        (hidden.hide if number % 2 else hidden.unhide)(ids)


# What goes wrong


def kill_publisher(stack: Stack, _judge: Judge) -> None:
    """Kill a process that publishes."""
    at = random.choice(("publish.staged=kill@3", "publish.before_swap=kill@1"))
    process = multiprocessing.get_context("spawn").Process(target=_die, args=(stack.url, at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, process.exitcode


def _die(url: str, at: str) -> None:
    os.environ[failpoints.VARIABLE] = at
    publish(url, 1)


def kill_primary(stack: Stack, judge: Judge) -> None:
    """Kill the primary; the replica takes over."""
    with judge.outage():
        stack.kill(stack.primary())


def fail_over(stack: Stack, judge: Judge) -> None:
    """Have the replica take over from a primary that lives."""
    with judge.outage():
        stack.fail_over()


def stop_primary(stack: Stack, judge: Judge) -> None:
    """Stop the primary for a moment, too short for the Sentinel."""
    _stop(stack.processes[stack.primary()].pid, judge)


def stop_service(stack: Stack, judge: Judge) -> None:
    """Stop the service for a moment."""
    _stop(stack.service.pid, judge)


def _stop(pid: int, judge: Judge) -> None:
    with judge.outage():
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.7)
        os.kill(pid, signal.SIGCONT)


def fill_memory(stack: Stack, _judge: Judge) -> None:
    """Let a publish find no room."""
    with Redis(port=stack.primary()) as primary:
        primary.config_set("maxmemory", int(primary.info("memory")["used_memory"]) + 50_000)
        try:
            publish(stack.url, 1)
        except RecommenderError:
            return
        finally:
            primary.config_set("maxmemory", 0)
        raise AssertionError("there was room")


WORK: Mapping[Callable[[str, int], None], int] = {publish: 3, roll_back: 1, refresh: 3, hide: 3}
FAULTS = (kill_publisher, kill_primary, fail_over, stop_primary, stop_service, fill_memory)


def soak(stack: Stack, judge: Judge, seconds: float) -> Counter[str]:
    """Write and break things until the time is up; what was done how often."""
    done: Counter[str] = Counter()
    chance, until = random.Random(0), time.monotonic() + seconds
    fault_at = time.monotonic() + FAULT_EVERY_S
    writer = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    while time.monotonic() < until:
        (work,) = chance.choices([*WORK], [*WORK.values()])
        try:
            writer.submit(work, stack.url, chance.randint(1, BUILDS)).result()
            done[work.__name__] += 1
        except RecommenderError as error:
            done[f"{work.__name__}: {type(error).__name__}"] += 1
        if time.monotonic() > fault_at:
            fault = FAULTS[sum(done[one.__name__] for one in FAULTS) % len(FAULTS)]
            fault(stack, judge)
            done[fault.__name__] += 1
            fault_at = time.monotonic() + FAULT_EVERY_S + RECOVERED_S * chance.random()
        time.sleep(EVERY_S)
    writer.shutdown()
    return done


def main() -> int:
    """Soak and print."""
    parser = argparse.ArgumentParser(description="Everything at once, for some minutes.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # so that the threads of one client hardly hold up another's
    judge, ended = Judge(), threading.Event()
    with started() as stack:
        publish(stack.url, 1)
        asking = [
            *threads_ask(stack.url, judge, ended),
            tasks_ask(stack.url, judge, ended),
            *clients_ask(stack.service_port, judge, ended),
        ]
        for thread in asking:
            thread.start()
        with judge.outage():  # of the start
            time.sleep(5)
        pids = {"lookups": os.getpid(), "service": stack.service.pid}
        before = {name: resources(pid) for name, pid in pids.items()}
        done = soak(stack, judge, 60 * options.minutes)
        time.sleep(RECOVERED_S)
        after = {name: resources(pid) for name, pid in pids.items()}
        ended.set()
        for thread in asking:
            thread.join()
    report(rows_of(judge, done, before, after), as_json=options.json)
    for error, count in judge.errors.items():
        sys.stdout.write(f"{count} x {error}\n")
    return int(bool(judge.errors) or judge.counts["wrong"] + judge.counts["mixed"] > 0)


def rows_of(
    judge: Judge,
    done: Counter[str],
    before: Mapping[str, Mapping[str, float]],
    after: Mapping[str, Mapping[str, float]],
) -> list[Row]:
    """The table; peers are the figures at the start."""
    counts = judge.counts
    rows = [Row(f"done: {name}", count, "") for name, count in sorted(done.items())]
    rows += [Row(name, counts[name], "") for name in ("wrong", "mixed")]
    rows.append(Row("exceptions", judge.errors.total(), ""))
    for client in ("threads", "asyncio", "HTTP"):
        lists, fallbacks = counts[f"{client}: lists"], counts[f"{client}: fallbacks"]
        rows.append(Row(f"{client}: lists", lists, ""))
        rows.append(
            Row(f"{client}: fallbacks outside outages", 100 * fallbacks / max(lists, 1), "%")
        )
    hurt_s = sum(end - began for began, end in judge.outages)
    rows.append(Row("injected outages", hurt_s, "s"))
    for name, figures in after.items():
        rows += [
            Row(f"{name}: {what}", now, "", before[name][what]) for what, now in figures.items()
        ]
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
