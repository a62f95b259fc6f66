"""What serving takes does not grow: memory, files, threads, keys."""

import gc
import random
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from recommender.publishing.publisher import Publisher
from recommender.serving.lookup import RelatedItems
from tests.serving import builds

COUNT, PUBLISHES, RANDOM_IDS = 200, 500, 1_000_000


def resident_kb() -> int:
    """The memory of this process that is not shared with a file."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def reader(store: Redis, server_url: str, shop: str) -> Iterator[RelatedItems]:
    builds.publish(Publisher(store, shop, grace_s=0.0), 1, count=COUNT)
    with closing(RelatedItems(server_url, shop, deadline_s=5.0, cache_items=500)) as reader:
        assert reader.wait_ready()
        yield reader


@pytest.mark.fault(56)
def test_nothing_grows_with_the_number_of_publishes(
    reader: RelatedItems, store: Redis, shop: str
) -> None:
    publisher = Publisher(store, shop, grace_s=0.0)

    def publish(times: int) -> None:
        for number in range(times):
            builds.publish(publisher, 1 + number % 3, count=COUNT)
            reader.get_many([f"item-{row}" for row in range(50)], n=3)

    publish(20)
    gc.collect()
    files, threads, kilobytes = open_files(), threading.active_count(), resident_kb()
    keys, used = store.dbsize(), store.info("memory")["used_memory"]
    publish(PUBLISHES)
    gc.collect()
    assert abs(open_files() - files) <= 2
    assert threading.active_count() == threads
    assert store.dbsize() == keys
    assert store.info("memory")["used_memory"] < used * 1.1
    # 1 % for a hundred publishes; below that, what an allocator keeps for itself.
    assert resident_kb() - kilobytes < max(0.01 * PUBLISHES / 100 * kilobytes, 2000)


@pytest.mark.fault("S3")
def test_random_ids_take_no_memory(reader: RelatedItems) -> None:
    numbers = random.Random(3)

    def flood(count: int) -> None:
        for _ in range(count // 100):
            answers = reader.get_many([f"{numbers.getrandbits(64):x}" for _ in range(100)])
            assert {answer.status for answer in answers} == {"unknown_item"}
            assert reader.stats()["cached_items"] <= 500

    flood(20_000)
    gc.collect()
    kilobytes, blocks = resident_kb(), sys.getallocatedblocks()
    flood(RANDOM_IDS)
    gc.collect()
    # An id that stays is a live object; a list that remembers it grows by a pointer.
    assert sys.getallocatedblocks() - blocks < RANDOM_IDS / 100
    assert resident_kb() - kilobytes < RANDOM_IDS * 8 / 1024
    assert reader.get("item-0", n=3).status == "ok"


@pytest.mark.fault(42, "S4")
@pytest.mark.parametrize("n", [10**9, 10**30, -1, 0])
def test_an_absurd_n_allocates_nothing_large(reader: RelatedItems, n: int) -> None:
    reader.get("item-0", n=n)
    tracemalloc.start()
    try:
        answer = reader.get("item-1", n=n)
        assert len(answer.items) == (3 if n > 0 else 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
