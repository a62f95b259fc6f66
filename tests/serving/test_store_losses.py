"""A store that is killed, emptied or cannot write: what readers see, and how it is made good."""

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from recommender.core.related import RelatedList
from recommender.errors import StoreUnavailable
from recommender.publishing.inspection import Audit, audit
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from tests.publishing.interruptions import after
from tests.serving import builds, servers
from tests.serving.test_lookup import soon
from tests.support.fault_report import Recovery

SHOP, COUNT = "acme", 60
UNPROTECTED = ["--enable-protected-configs", "yes"]
LATE_S, HUNG_S, STALLS = 20 * 0.05, 3.0, 3
"""An answer that is late, one that hung, and how often the machine itself may stand still."""
FLAGGED = {"stale", "fallback", "degraded"}

Seen = Counter[tuple[str, int]]


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.server) for name in servers.BINARIES])
def binary(request: pytest.FixtureRequest) -> Path:
    return servers.binary_of(request.param)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def url_of(folder: Path) -> str:
    return f"unix://{folder}/s.sock"


@contextmanager
def watched(url: str, *, cache_items: int = 0) -> Iterator[tuple[RelatedItems, Seen]]:
    """A storefront that reads without pause; every answer must be whole and of one generation."""
    seen: Seen = Counter()
    late: list[bool] = []
    ended = threading.Event()

    def judge(answer: RelatedList, row: int) -> None:
        status = "ok" if answer.status == "topped_up" else answer.status
        seen[status, answer.generation] += 1
        if status in {"ok", "stale"}:
            build = answer.generation
            assert answer.items == builds.expected(row, COUNT, build=build)
        else:
            # Until the next poll, lists of an emptied server are none that there are.
            assert status in FLAGGED | {"unknown_item"}

    def read(lookup: RelatedItems) -> None:
        while not ended.is_set():
            for row in range(COUNT):
                began = time.monotonic()
                judge(lookup.get(f"item-{row}", n=3), row)
                took = time.monotonic() - began
                assert took < HUNG_S
                late.append(took > LATE_S)
            time.sleep(0.001)

    with (
        closing(RelatedItems(url, SHOP, cache_items=cache_items)) as lookup,
        ThreadPoolExecutor(1) as threads,
    ):
        reading = threads.submit(read, lookup)
        try:
            yield lookup, seen
        finally:
            ended.set()
            reading.result()
    assert sum(late) <= STALLS, f"{sum(late)} of {len(late)} answers were late"


def sees(seen: Seen, status: str, generation: int) -> Callable[[], bool]:
    before = seen[status, generation]
    return lambda: seen[status, generation] > before


@contextmanager
def opened(url: str) -> Iterator[Publisher]:
    with open_store(url) as store:
        yield Publisher(store, SHOP, lease_s=2.0, batch=10, grace_s=0.0)


@pytest.mark.fault(5)
def test_a_server_killed_in_the_middle_of_a_publish(
    binary: Path, folder: Path, recovery: Recovery
) -> None:
    url = url_of(folder)
    durable = ["--appendonly", "yes", "--appendfsync", "always"]
    with watched(url) as (lookup, seen):
        with servers.running(binary, folder / "s.sock", *durable) as _, opened(url) as publisher:
            builds.publish(publisher, 1, count=COUNT)
            servers.until(sees(seen, "ok", 1))
            killed = after(3, lambda: servers.kill(url))
            with pytest.raises(StoreUnavailable, match="publishing failed"):
                builds.publish(publisher, 2, count=COUNT, progress=killed)
        servers.until(lambda: any(seen[status, 1] for status in FLAGGED))
        with servers.running(binary, folder / "s.sock", *durable), opened(url) as publisher:
            with recovery():
                servers.until(sees(seen, "ok", 1), timeout_s=5)
            half = publisher.generations()
            assert [(found.id, found.state) for found in half] == [
                (2, "staging"),
                (1, "complete"),
            ]
            assert builds.publish(publisher, 3, count=COUNT).id == 3
            servers.until(sees(seen, "ok", 3), timeout_s=5)
            assert [found.id for found in publisher.generations()] == [3, 1]
            assert not list(publisher.store.scan_iter(f"rec:{SHOP}:2:*"))
    assert not [generation for status, generation in seen if status == "ok" and generation == 2]
    assert lookup.stats()["breaker_opened"] >= 1


def restarted(binary: Path, folder: Path) -> Iterator[None]:
    """The server dies, and comes back with nothing."""
    with servers.running(binary, folder / "s.sock"):
        yield
    with servers.running(binary, folder / "s.sock"):
        yield


def flushed(binary: Path, folder: Path) -> Iterator[None]:
    """Somebody empties the server."""
    with servers.running(binary, folder / "s.sock") as url:
        yield
        with open_store(url) as store:
            store.flushall()
        yield


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(restarted, marks=pytest.mark.fault(6)),
        pytest.param(flushed, marks=pytest.mark.fault(7)),
    ],
)
def test_a_server_that_lost_everything(
    binary: Path,
    folder: Path,
    recovery: Recovery,
    loss: Callable[[Path, Path], Iterator[None]],
) -> None:
    url = url_of(folder)
    losing = loss(binary, folder)
    next(losing)
    with watched(url, cache_items=2 * COUNT) as (lookup, seen):
        with opened(url) as publisher:
            builds.publish(publisher, 1, count=COUNT)
        servers.until(lambda: seen["ok", 1] > COUNT)
        next(losing)
        servers.until(sees(seen, "stale", 1))
        assert lookup.get("never asked").status in {"fallback", "unknown_item"}
        servers.until(lambda: not lookup.stats()["breaker_open"])
        with opened(url) as publisher, recovery():
            # The counter is lost too; the caller knows the highest number from its artifacts.
            assert builds.publish(publisher, 2, count=COUNT, fence_floor=1).id == 2
            soon(lookup, sees(seen, "ok", 2))
    with pytest.raises(StopIteration):
        next(losing)


@pytest.mark.fault(14)
def test_a_server_whose_disk_is_gone_refuses_a_publish_and_goes_on_serving(
    binary: Path, folder: Path
) -> None:
    url = url_of(folder)
    disk = folder / "disk"
    disk.mkdir()

    def break_disk(store: Redis) -> None:
        store.config_set("dir", str(disk))
        store.config_set("save", "3600 1")
        shutil.rmtree(disk)
        store.bgsave()
        servers.until(lambda: store.info("persistence")["rdb_last_bgsave_status"] == "err")

    with (
        servers.running(binary, folder / "s.sock", *UNPROTECTED),
        watched(url) as (lookup, seen),
        opened(url) as publisher,
        open_store(url) as admin,
    ):
        builds.publish(publisher, 1, count=COUNT)
        servers.until(sees(seen, "ok", 1))
        with pytest.raises(StoreUnavailable, match="MISCONF"):
            builds.publish(publisher, 2, count=COUNT, progress=after(3, lambda: break_disk(admin)))
        with pytest.raises(StoreUnavailable, match="MISCONF"):
            builds.publish(publisher, 3, count=COUNT)
        ok = sees(seen, "ok", 1)
        servers.until(ok)
        assert {generation for status, generation in seen if status == "ok"} == {1}
        admin.config_set("dir", str(folder))
        admin.bgsave()
        servers.until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "ok")
        number = builds.publish(publisher, 3, count=COUNT).id
        assert number == 3
        servers.until(sees(seen, "ok", 3))
        assert [found.id for found in publisher.generations()] == [3, 1]
        assert not list(admin.scan_iter(f"rec:{SHOP}:2:*"))
    assert lookup.stats()["ok"] > 0


@pytest.mark.fault(12)
def test_lists_that_somebody_deleted_are_replaced_and_counted(binary: Path, folder: Path) -> None:
    url = url_of(folder)
    with servers.running(binary, folder / "s.sock"), opened(url) as publisher:
        builds.publish(publisher, 5, count=COUNT)
        with closing(RelatedItems(url, SHOP, deadline_s=5.0, cache_items=0)) as lookup:
            lookup.wait_ready()
            gone = [f"item-{row}" for row in range(7, COUNT, 20)]
            publisher.store.unlink(*[f"rec:{SHOP}:1:related:{item}" for item in gone])
            answers = [lookup.get(f"item-{row}", n=3) for row in range(COUNT)]
            replaced = [answer for answer in answers if answer.status != "ok"]
            assert [answer.item for answer in replaced] == gone
            assert {answer.status for answer in replaced} == {"unknown_item"}
            assert all(len(answer.items) == 3 for answer in replaced)
            assert lookup.stats()["unknown_item"] == len(gone)
        assert audit(publisher.store, SHOP) == Audit(1, COUNT + 1, COUNT + 1 - len(gone))
        builds.publish(publisher, 5, count=COUNT)
        assert audit(publisher.store, SHOP) == Audit(2, COUNT + 1, COUNT + 1)
        assert audit(publisher.store, "another") is None
