"""Rows 48, 49: a text is paid for once, except for the batches in flight of a killed run."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from recommender.artifacts.storage import TEMPORARY
from recommender.artifacts.store import ArtifactStore
from recommender.build.job import Job, pinned
from recommender.build.paid_texts import PART, PaidPlan
from recommender.build.steps import complete, named
from recommender.build.text_shards import Ledger
from recommender.cli.main import run
from recommender.core import failpoints
from recommender.core.api_budget import Budget
from recommender.core.ids import tie_order
from recommender.core.telemetry import Stopwatch, silent
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError, ConfigError, ProviderFailed
from recommender.pipeline import plan
from recommender.settings.loading import load
from recommender.vectors.content.static import HashingEncoder
from tests.serving.servers import until
from tests.support.crashing import begin, command
from tests.support.shop_files import SETTINGS, orders, write_shop
from tests.support.text_api_server import DIMENSIONS, TextServer, running

N, SHARD_TEXTS, BATCH_TEXTS = 10, 6, 2
REQUESTS = 5
NAMES = [f"i{number}" for number in tie_order([f"i{number}" for number in range(N)])]
KEY = "sk-S3CR3T-xyz"
TEXT = (
    f'content.text = {{ use = "openai", model = "m", dimensions = {DIMENSIONS}, batch_texts = 2 }}'
)


@pytest.fixture
def server() -> Iterator[TextServer]:
    with running() as state:
        yield state


def shop(folder: Path, server: TextServer, concurrency: int = 1) -> Path:
    """A shop whose texts an API encodes; returns its settings file."""
    text = SETTINGS.replace('content.text = { use = "hashing", dimensions = 64 }', TEXT)
    assert TEXT in text
    more = (
        f'[text_api]\nurl = "{server.url}"\nkey = "{KEY}"\nconcurrency = {concurrency}\n'
        f'[limits]\nshard_texts = {SHARD_TEXTS}\n[state]\nuser_key = "0123456789abcdef"\n'
    )
    baskets = zip(NAMES, NAMES[1:], NAMES[2:], strict=False)
    return write_shop(folder, orders(*baskets), settings=text + more)


def job_of(config: Path, *assignments: str) -> Job:
    return load(config, assignments).job()


def encode_all(config: Path, failpoint: str = "") -> None:
    """The texts of a shop, as a reindex makes them."""
    os.environ[failpoints.VARIABLE] = failpoint
    encoded(job_of(config))


def encoded(job: Job) -> np.ndarray:
    job = pinned(job)
    complete(named(plan(job).goal, "read"), Stopwatch())
    step = named(plan(job).goal, "embed.text")
    complete(step, Stopwatch())
    return Embeddings.from_columns(step.artifact().columns()).matrix


def check_encoded(config: Path, server: TextServer) -> None:
    """Every vector is there, exact and free."""
    asked = server.requests
    matrix = encoded(job_of(config))
    wanted = HashingEncoder(DIMENSIONS).encode([f"Title of {name}" for name in NAMES], silent)
    assert matrix == pytest.approx(wanted, abs=1e-6)
    assert server.requests == asked
    store = job_of(config).artifacts
    kept = [name for name in store.storage.names(f"acme/{PART[0]}") if TEMPORARY not in name]
    assert kept == []


def run_killed_at(config: Path, server: TextServer, request: int) -> None:
    """Kill a run while the API is processing a request of it."""
    begun: Future[BaseProcess] = Future()
    killed = Event()

    def kill(number: int) -> None:
        if number != request:
            return
        process = begun.result(60)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        wait([process.sentinel], 60)  # a join would take the exit code from the one below
        killed.set()

    server.on_request = kill
    process = begin(encode_all, config)
    begun.set_result(process)
    assert killed.wait(120), request
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, request
    server.on_request = lambda number: None


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("concurrency", "requests"),
    [
        (1, (1, 3, 5)),
        (3, (2, 4)),
        pytest.param(1, [*range(1, REQUESTS + 1)] * 4, marks=pytest.mark.long),
        pytest.param(3, [*range(1, REQUESTS + 1)] * 4, marks=pytest.mark.long),
    ],
)
def test_a_run_killed_at_any_request_sends_again_only_batches_in_flight(
    tmp_path: Path, server: TextServer, concurrency: int, requests: Sequence[int]
) -> None:
    for number, request in enumerate(requests):
        config = shop(tmp_path / str(number), server, concurrency)
        server.requests = 0
        server.received.clear()
        run_killed_at(config, server, request)
        again = begin(encode_all, config)
        again.join(120)
        assert again.exitcode == 0
        assert len(server.sent_twice) <= concurrency * BATCH_TEXTS, request
        assert max(server.received.values()) <= 2
        assert set(server.received) == {f"Title of {name}" for name in NAMES}
        check_encoded(config, server)


WRITES = 2 + REQUESTS + 2 + 1
"""Of what is read, the plan, every answer, every shard and the matrix."""


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    "writes",
    [(3, 6, WRITES + 1), pytest.param(range(1, WRITES + 2), marks=pytest.mark.long)],
    ids=["some", "all"],
)
def test_a_run_killed_at_any_write_sends_again_only_batches_in_flight(
    tmp_path: Path, server: TextServer, writes: Sequence[int]
) -> None:
    for number in writes:
        config = shop(tmp_path / str(number), server)
        server.received.clear()
        ended = begin(encode_all, config, f"artifact.before_rename=kill@{number}")
        ended.join(120)
        assert ended.exitcode == (-signal.SIGKILL if number <= WRITES else 0), number
        encode_all(config)
        assert len(server.sent_twice) <= BATCH_TEXTS, number
        assert max(server.received.values()) <= 2
        check_encoded(config, server)


@pytest.mark.fault(49)
@pytest.mark.parametrize("request_number", [2, 3])
def test_a_catalogue_that_changed_meanwhile_costs_only_what_is_new(
    tmp_path: Path, server: TextServer, request_number: int
) -> None:
    config = shop(tmp_path, server)
    run_killed_at(config, server, request_number)
    lines = (tmp_path / "orders.csv").read_text().splitlines()
    lines.insert(1, "o99,customer-9,a-new-one,Title of what is new,2026-01-01")
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")
    encode_all(config)
    assert len(server.sent_twice) <= BATCH_TEXTS
    assert len(server.received) == N + 1


def waits_for_a_lock(process: BaseProcess) -> bool:
    """Whether Linux lists a process among those that wait for a lock of a file."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and str(process.pid) in line.split() for line in lines)


@pytest.mark.fault(49)
def test_two_runs_at_once_on_one_machine_pay_once(tmp_path: Path, server: TextServer) -> None:
    config = shop(tmp_path, server, 2)
    second = []

    def begin_another(number: int) -> None:
        if number == 1:
            second.append(begin(encode_all, config))
            until(lambda: waits_for_a_lock(second[0]), timeout_s=120)

    server.on_request = begin_another
    first = begin(encode_all, config)
    first.join(120)
    second[0].join(120)
    assert [one.exitcode for one in (first, *second)] == [0, 0]
    assert server.sent_twice == []
    check_encoded(config, server)


@pytest.mark.fault(49)
def test_another_machine_goes_on_with_what_the_first_one_paid(
    tmp_path: Path, server: TextServer
) -> None:
    config = shop(tmp_path, server)
    server.script[3] = lambda handler, _: handler.send(401, b"{}")
    job = pinned(job_of(config))
    with pytest.raises(ProviderFailed, match="401"):
        encoded(job)
    elsewhere = replace(job, paid_lock=tmp_path / "elsewhere" / "lock")
    encoded(elsewhere)
    assert set(server.sent_twice) == {f"Title of {name}" for name in NAMES[4:6]}
    check_encoded(config, server)


@pytest.mark.fault(49)
def test_all_who_work_on_a_run_share_one_budget(tmp_path: Path) -> None:
    shards = Ledger(ArtifactStore(tmp_path, "acme"), "encoder")
    budget = Budget(calls=5, money=100.0, price=1e6)
    one, two = (PaidPlan(shards, 0, "plan", budget) for _ in range(2))
    for paid in (one, two, one, two):
        paid.reserve(20)
    two.keep(["a"], np.ones((1, 2), dtype=np.float32), -10)
    with pytest.raises(ProviderFailed, match="money_max"):
        one.reserve(21)
    two.reserve(30)
    with pytest.raises(ProviderFailed, match="calls_max = 5"):
        PaidPlan(shards, 0, "plan", budget).reserve(0)
    PaidPlan(shards, 0, "another plan", budget).reserve(100)


def paid_plan(folder: Path) -> PaidPlan:
    paid = PaidPlan(Ledger(ArtifactStore(folder, "acme"), "encoder"), 0, "plan", Budget())
    paid.shard = "shard"
    return paid


def test_answers_are_kept_until_their_shard_is_made(tmp_path: Path) -> None:
    paid = paid_plan(tmp_path)
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    paid.keep(["a", "b"], vectors[:2], 0)
    paid.keep(["b", "c"], vectors[2:], 0)
    found = paid.found(["a", "b", "c", "d"])
    assert {text: vector.tolist() for text, vector in found.items()} == {
        "a": [0.0, 1.0],
        "b": [4.0, 5.0],
        "c": [6.0, 7.0],
    }
    paid.clear()
    assert paid.found(["a"]) == {}
    paid.clear()


@pytest.mark.fault(48, 50)
def test_a_model_that_changes_under_its_name_amid_a_run_is_refused(
    tmp_path: Path, server: TextServer
) -> None:
    config = shop(tmp_path, server)
    server.on_request = lambda number: setattr(server, "dimensions", 32 if number > 3 else 64)
    with pytest.raises(ProviderFailed, match="a vector of 32 dimensions, not 64"):
        encoded(job_of(config, "text_api.attempts=1"))
    job = pinned(job_of(config))
    assert named(plan(job).goal, "embed.text").missing() == (0,)
    encoded(job_of(config, "recipe.content.text.dimensions=32"))
    server.on_request = lambda number: setattr(server, "dimensions", 64)
    encoded(job_of(config))
    check_encoded(config, server)


@pytest.mark.fault(48)
def test_a_machine_with_another_address_does_not_join_a_run(
    tmp_path: Path, server: TextServer
) -> None:
    config = shop(tmp_path, server)
    job = pinned(job_of(config))
    complete(named(plan(job).goal, "read"), Stopwatch())
    complete(named(plan(job).goal, "text-plan.text"), Stopwatch())
    other = replace(job, text_api=replace(job.text_api, url="http://127.0.0.1:9/v1"))
    with pytest.raises(ConfigError, match="install the same on every machine"):
        named(plan(other).goal, "encode.text").perform([0])
    assert server.requests == 0


@pytest.mark.fault(49, "S14")
@pytest.mark.server
def test_the_command_tells_a_failed_api_and_no_key(
    tmp_path: Path, server: TextServer, capfd: pytest.CaptureFixture[str]
) -> None:
    config = shop(tmp_path, server)
    server.reply = lambda handler, _: handler.send(401, f"no such key: {KEY}".encode())
    for arguments in (["reindex", "--debug"], ["doctor"], ["config"]):
        run([*arguments, "--config", str(config)])
    told = capfd.readouterr()
    assert "text API at 127.0.0.1: 401 no such key: ***" in told.err
    assert "m at 127.0.0.1, 64 dimensions" in told.out
    assert "with a key" in told.out
    assert KEY not in told.out + told.err
    assert command(["reindex", "--config", str(config)]) == 8
    server.reply = lambda handler, answer: handler.whole(answer)
    assert command(["reindex", "--config", str(config)]) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != config]
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []
    assert len(written) > 20


def test_answers_are_checked_like_every_artifact(tmp_path: Path) -> None:
    paid = paid_plan(tmp_path)
    paid.keep(["a"], np.ones((1, 2), dtype=np.float32), 0)
    path = next((tmp_path / "acme" / PART[0]).glob("*/matrix.npy"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="was changed or cut"):
        paid.found(["a"])
