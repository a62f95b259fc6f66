"""What dies while a run is at work, at every stage; the run ends well, and nobody sees it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.serving.servers import until
from tests.support.repository import REPOSITORY
from tests.workers.fleet import Worker, environment
from tests.workers.shop import ITEMS, Shop, fleet_shop
from tests.workers.storefront import Storefront, storefront
from tests.workers.test_fleet import begin

pytestmark = [pytest.mark.server, pytest.mark.long]

STAGES = [
    "read",
    "text-plan.text",
    "encode.text",
    "embed.text",
    "fit.behaviour",
    "fuse.related",
    "index.related",
    "choose.related",
    "build",
    "gate",
    "stage.related",
    "activate",
]
OWNER = r"owner=\S+?:(\d+):"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop that is live, with new texts to encode and new orders to learn from."""
    with fleet_shop(tmp_path / "fleet") as shop:
        with shop.workers("before"):
            begin(shop)
            shop.ends(1)
        text = shop.config.read_text()
        text = text.replace("dimensions = 64", "dimensions = 32")
        shop.config.write_text(text.replace("dimensions = 16", "dimensions = 12"))
        yield shop


def ends_well(shop: Shop, number: int, seen: Storefront) -> None:
    """The run, or the one that goes on with it, is live."""
    until(lambda: not reconciling(shop), 150)
    newest = shop.newest()
    assert newest.state == "published", newest.error
    assert newest.number >= number
    until(lambda: bool(seen.generations) and seen.generations[-1] >= number, 30)


@contextmanager
def run_at(shop: Shop, stage: str) -> Iterator[tuple[Worker, int, Storefront]]:
    """A worker at a stage of a run that ends well; storefronts notice nothing."""
    before = shop.encoded()
    with (
        storefront(f"{shop.store.url}/0", "acme", ITEMS) as seen,
        shop.workers("disturbed") as worker,
    ):
        number = begin(shop)
        worker.said(f"event=began step={stage} ", timeout_s=60)
        yield worker, number, seen
    seen.check()
    assert not seen.odd
    assert set((shop.encoded() - before).values()) == {1}


@pytest.mark.fault(1)
@pytest.mark.parametrize("stage", STAGES)
def test_a_pool_child_is_killed(shop: Shop, stage: str) -> None:
    with run_at(shop, stage) as (worker, number, seen):
        at = worker.log.index(f"event=began step={stage} ")
        owner = re.search(OWNER, worker.log[at:])
        assert owner is not None
        os.kill(int(owner[1]), signal.SIGKILL)
        ends_well(shop, number, seen)
        assert worker.lives


@pytest.mark.fault(2)
@pytest.mark.parametrize("stage", STAGES)
def test_a_whole_worker_is_killed(shop: Shop, stage: str) -> None:
    before = shop.encoded()
    with storefront(f"{shop.store.url}/0", "acme", ITEMS) as seen:
        with shop.workers("killed") as worker:
            number = begin(shop)
            worker.said(f"event=began step={stage} ", timeout_s=60)
            worker.kill()
        with shop.workers("next"):
            ends_well(shop, number, seen)
    seen.check()
    assert not seen.odd
    assert set((shop.encoded() - before).values()) == {1}


@pytest.mark.fault(8)
@pytest.mark.parametrize("stage", STAGES)
def test_the_broker_is_killed_and_its_queue_lost(shop: Shop, stage: str) -> None:
    with run_at(shop, stage) as (_, number, seen):
        shop.broker.kill()
        shop.broker.start()
        ends_well(shop, number, seen)


@pytest.mark.fault(5, 6)
@pytest.mark.parametrize("stage", STAGES)
def test_the_store_is_killed_and_empty(shop: Shop, stage: str) -> None:
    before = shop.encoded()
    with (
        storefront(f"{shop.store.url}/0", "acme", ITEMS) as seen,
        shop.workers("stored") as worker,
    ):
        until(lambda: seen.statuses["ok"] > 0)
        number = begin(shop)
        worker.said(f"event=began step={stage} ", timeout_s=60)
        assert not seen.odd
        outage = time.monotonic()
        shop.store.kill()
        until(lambda: bool(seen.odd), 30)
        shop.store.start()
        ends_well(shop, number, seen)
        over, read = time.monotonic(), seen.statuses["ok"]
        until(lambda: seen.statuses["ok"] > read + 100)
    seen.check()
    assert all(outage <= at <= over for at in seen.odd)
    assert set((shop.encoded() - before).values()) == {1}


def reconciling(shop: Shop) -> bool:
    """Reconcile as beat does, every two seconds; whether the newest run still goes on."""
    subprocess.run(["sleep", "2"], check=True)
    shop.reconcile()
    return shop.newest().state == "running"


@pytest.mark.fault(28)
def test_a_worker_that_was_paused_writes_nothing_that_is_read(shop: Shop) -> None:
    with storefront(f"{shop.store.url}/0", "acme", ITEMS) as seen:
        stop = "publish.before_swap=stop@1"
        with shop.workers("paused", processes=1, failpoint=stop) as paused:
            first = begin(shop)
            paused.said("event=began step=activate", timeout_s=90)
            with Redis.from_url(f"{shop.store.url}/0") as store:
                until(lambda: not store.exists("rec:{acme}:lease"), 20)
            assert seen.generations == [1]
            with shop.workers("later"):
                shop.ends(first, "superseded", 60)
                later = shop.newest()
                ends_well(shop, later.number, seen)
                start = len(paused.log)
                owner = re.search(OWNER, paused.log[paused.log.index("began step=activate") :])
                assert owner is not None
                for pid in children_of(int(owner[1])):
                    os.kill(pid, signal.SIGCONT)
                paused.said("event=died", after=start)
                until(lambda: seen.statuses.total() > 0)
    seen.check()
    assert seen.generations == [1, later.number]
    with Redis.from_url(f"{shop.store.url}/0") as store:
        assert not list(store.scan_iter(match=f"rec:acme:{first}:*"))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.fault(29)
def test_two_beats_begin_one_run(shop: Shop) -> None:
    text = shop.config.read_text()
    shop.config.write_text(text + '\n[schedule]\nreindex = "* * * * *"\n')
    beats = [beat(shop, name) for name in ("one", "two")]
    try:
        with shop.workers("beaten") as worker:
            until(lambda: shop.newest().number > 1, 100)
            shop.ends(2)
            assert worker.log.count("event=due shop=acme job=reindex") <= 2
            assert shop.newest().number == 2
    finally:
        for running in beats:
            running.terminate()
            running.wait()


def beat(shop: Shop, name: str) -> "subprocess.Popen[bytes]":
    schedule = shop.folder / f"{name}.schedule"
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "workers", "beat", "--schedule", str(schedule)],
        cwd=REPOSITORY,
        env=environment(shop.config),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
