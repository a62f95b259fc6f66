"""Seeds of the simulation; `python -m tests.simulation --seed N` shows what happened in one."""

import os
import re
from collections.abc import Iterator

import pytest

from tests.simulation.__main__ import main
from tests.simulation.network import FATES
from tests.simulation.seeds import run
from tests.simulation.shop import Shop, opened
from tests.simulation.simulation import Simulation

SEEDS, MANY = 2_000, 100_000
FAILED_ONCE = (2554, 2938, 3627, 4217, 4502, 5601, 6780, 11901, 23183)
"""Replicas that lacked a published build or a change, and a record that was written over."""
OWNERS = re.compile(r"[\w.-]+:\d+:[0-9a-f]+")
DISASTERS = ("the server restarts empty", "the replica takes over", "a list is evicted")


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with opened() as shop:
        yield shop


@pytest.mark.fault(28, 55)
@pytest.mark.timeout(1200)
def test_no_seed_breaks_an_invariant(shop: Shop) -> None:
    failed, seen = run([*range(SEEDS), *FAILED_ONCE], shop)
    shown = "\n".join(
        f"python -m tests.simulation --seed {seed}: {what}" for seed, what in failed.items()
    )
    assert not failed, shown
    for what in (*FATES, *DISASTERS, "a process is stopped"):
        assert seen[what] > 10, what
    assert seen["swaps"] > SEEDS / 2
    assert seen["answers"] > 20 * SEEDS


def test_a_seed_is_the_same_run_every_time(shop: Shop) -> None:
    traces = []
    for seed in (1, 2, 1):
        simulation = Simulation(seed, shop.without_runs())
        simulation.world.tracing = True
        simulation.run()
        traces.append([OWNERS.sub("OWNER", line) for line in simulation.world.trace])
    assert traces[0] == traces[2] != traces[1]


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_no_seed_of_many_breaks_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    processes = str(os.cpu_count() or 1)
    assert main(["--seeds", str(MANY), "--processes", processes]) == 0, capsys.readouterr().out
