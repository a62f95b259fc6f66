"""Whole runs by real workers: what they make, and what becomes of a run when parts of it die."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from redis import Redis

from recommender.settings.loading import load
from tests.serving.servers import until
from tests.support.fault_report import Recovery
from tests.support.repository import REPOSITORY
from tests.workers.fleet import QUEUE, envelope, environment, free_port, headers
from tests.workers.shop import ITEMS, Shop, artifacts_of, fleet_shop, lists_of
from tests.workers.storefront import storefront
from workers.processes import ONE_THREAD

pytestmark = pytest.mark.server


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with fleet_shop(tmp_path / "fleet") as shop:
        yield shop


def begin(shop: Shop, *arguments: str) -> int:
    """Begin a run; returns its number."""
    begun = shop.command("reindex", *arguments)
    assert begun.returncode == 0, begun.stderr
    return int(begun.stdout.removeprefix("acme."))


def assert_measured(shop: Shop) -> None:
    """The metrics that Prometheus reads over HTTP."""
    port = free_port()
    command = [sys.executable, "-m", "workers", "metrics", "--port", str(port)]
    shop.reconcile()
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment(shop.config)) as process:
        try:
            until(lambda: "recommender_reconciled_seconds_ago" in scraped(port))
            found = scraped(port)
        finally:
            process.terminate()
    for line in (
        'recommender_up{part="broker"} 1.0',
        'recommender_up{part="shop",shop="acme"} 1.0',
        'recommender_live_generation{shop="acme"} 1.0',
        'recommender_newest_run{shop="acme",state="published"} 1.0',
        'recommender_step_shards_made{shop="acme",step="choose.related"} 15.0',
        'recommender_shards_that_died{shop="acme"} 0.0',
    ):
        assert line in found.splitlines()


def scraped(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            return str(answer.read().decode())
    except URLError:
        return ""


def test_four_workers_make_what_one_process_makes(shop: Shop, tmp_path: Path) -> None:
    with shop.workers("four", processes=4):
        waited = shop.command("reindex", "--wait")
        assert waited.returncode == 0, waited.stderr
        assert "acme.1 published" in waited.stderr
        assert "encode texts" in waited.stderr
        assert_measured(shop)
        again = shop.command("reindex", "--wait")
        assert again.stdout == "nothing changed; what is live of acme stays live\n"
    assert set(shop.made().values()) == {1}
    assert len(shop.encoded()) > 10
    with fleet_shop(tmp_path / "alone") as alone:
        done = subprocess.run(
            [sys.executable, "-m", "recommender.cli", "reindex", "--config", str(alone.config)],
            cwd=REPOSITORY,
            env=environment(alone.config) | dict.fromkeys(ONE_THREAD, "1"),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert lists_of(alone.store) == lists_of(shop.store)
    assert artifacts_of(tmp_path / "alone") == artifacts_of(tmp_path / "fleet")
    owners = {cost["owner"] for cost in shop.run(1).stages}
    assert len(owners) > 3
    assert shop.command("status").stdout == "acme.1 published\n"


@pytest.mark.fault(4)
def test_a_step_that_keeps_killing_its_worker_ends_the_run(shop: Shop) -> None:
    number = begin(shop)
    with shop.workers("killed", processes=1, failpoint="artifact.before_manifest=kill@1") as worker:
        run = shop.ends(number, "failed")
        assert worker.log.count("event=died") == 3
        assert worker.lives
    assert run.error.startswith("step read, shard 0: given up after 3 attempts: ended by SIGKILL, ")
    peak = int(run.error.removesuffix(" MiB").rpartition(" ")[2])
    assert 20 < peak < 2000
    resumed = shop.command("resume", run.id)
    assert resumed.stdout == "acme.2\n"
    with shop.workers("well"):
        shop.ends(2)


@pytest.mark.fault(3)
def test_a_worker_that_is_asked_to_end_leaves_its_step_to_another(shop: Shop) -> None:
    number = begin(shop)
    hang = "artifact.before_manifest=hang@2"  # the second shard that one process encodes
    with shop.workers("left", processes=1, failpoint=hang) as worker:
        worker.said("event=began step=encode.text shard=1 ", timeout_s=60)
    assert worker.process.returncode == 0
    assert f"event=left run=acme.{number} step=encode.text shard=1" in worker.log
    assert shop.run(number).state == "running"
    with shop.workers("next"):
        shop.ends(number)
    assert set(shop.made().values()) == {1}
    assert "event=died" not in worker.log


@pytest.mark.fault(2, 8)
@pytest.mark.long
def test_a_worker_and_the_queue_are_lost(shop: Shop) -> None:
    with shop.workers("first"):
        begin(shop)
        shop.ends(1)
    changed = shop.config.read_text().replace("dimensions = 64", "dimensions = 32")
    shop.config.write_text(changed)
    with storefront(f"{shop.store.url}/0", "acme", ITEMS) as seen:
        until(lambda: seen.statuses["ok"] > 0)
        with shop.workers("second") as worker:
            number = begin(shop)
            worker.said("event=made step=encode.text", timeout_s=60)
            worker.kill()
            shop.broker.kill()
        shop.broker.start()
        before = shop.encoded()
        with shop.workers("third"):
            shop.ends(number)
            until(lambda: number in seen.generations)
    seen.check()
    assert set(seen.statuses) == {"ok"}
    assert seen.generations == [1, number]
    assert before
    assert set((shop.encoded() - before).values()) <= {1}


@pytest.mark.fault(30)
def test_a_task_that_comes_several_times_is_done_once(shop: Shop) -> None:
    number = begin(shop)

    def send_again(step: str) -> None:
        head = headers(task="workers.perform")
        with Redis.from_url(shop.broker.url) as queue:
            for _ in range(3):
                queue.lpush(QUEUE, envelope([f"acme.{number}", step, 0], head=head))

    send_again("read")
    with shop.workers("twice", processes=3) as worker:
        worker.said("event=made step=text-plan.text", timeout_s=60)
        send_again("encode.text")
        shop.ends(number)
        send_again("activate")
        until(lambda: worker.log.count("Task workers.perform") > 6)
    assert set(shop.made().values()) == {1}
    assert "event=died" not in worker.log


@pytest.mark.long
def test_of_two_reindexes_the_later_wins(shop: Shop) -> None:
    first, second = begin(shop), begin(shop)
    assert (first, second) == (1, 2)
    with shop.workers("both"):
        shop.ends(second)
        shop.ends(first, "superseded")
    assert set(shop.made().values()) == {1}
    with Redis.from_url(f"{shop.store.url}/0") as store:
        assert not list(store.scan_iter(match="rec:acme:1:*"))


@pytest.mark.fault(7, 12)
def test_what_redis_lost_is_published_again_without_encoding(
    shop: Shop, recovery: Recovery
) -> None:
    with shop.workers("fleet") as worker:
        begin(shop)
        shop.ends(1)
        made, lists = shop.made(), lists_of(shop.store)
        with Redis.from_url(f"{shop.store.url}/0") as store:
            store.flushall()
        with recovery():
            shop.reconcile()
            until(lambda: shop.newest().number == 2, 60)
            shop.ends(2)
        assert lists_of(shop.store) == lists
        with Redis.from_url(f"{shop.store.url}/0") as store:
            store.delete(*list(store.scan_iter(match="rec:acme:2:*"))[:50])
        start = len(worker.log)
        with recovery():
            shop.reconcile()
            worker.said("event=lists_lost", after=start)
            until(lambda: shop.newest().number == 3, 60)
            shop.ends(3)
        assert lists_of(shop.store) == lists
        with Redis.from_url(f"{shop.store.url}/0") as store:
            store.set("rec:acme:3:related:20000", b"20000\n20037\nb\nRe")
        shop.send("workers.audit")
        until(lambda: shop.newest().number == 4, 60)
        shop.ends(4)
        assert lists_of(shop.store) == lists
    again = {step for step, _ in shop.made() - made}
    assert again == {"gate", "stage.related", "activate"}


@pytest.mark.long
def test_a_run_that_was_cancelled_goes_no_further(shop: Shop) -> None:
    number = begin(shop)
    cancelled = shop.command("cancel", f"acme.{number}")
    assert cancelled.stdout == f"acme.{number} cancelled\n"
    with shop.workers("fleet") as worker:
        worker.said("workers.advance")
        shop.reconcile()
        worker.said("Task workers.reconcile", timeout_s=30)
    assert not shop.made()
    again = shop.command("cancel", f"acme.{number}")
    assert (again.returncode, again.stdout) == (3, "")
    assert load(shop.config).shop == "acme"
