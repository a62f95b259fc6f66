"""What is measured of a run."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from recommender.core.telemetry import Stopwatch, part_of, peak_bytes, silent


def test_a_stage_counts_when_it_succeeds() -> None:
    entered: list[str] = []

    @contextmanager
    def watch(stage: str) -> Iterator[None]:
        entered.append(stage)
        yield

    stopwatch = Stopwatch(watch=watch)
    with stopwatch.measure("read"):
        pass
    with pytest.raises(ZeroDivisionError), stopwatch.measure("encode"):
        raise ZeroDivisionError
    assert entered == ["read", "encode"]
    assert [cost.stage for cost in stopwatch.costs] == ["read"]
    assert stopwatch.costs[0].peak_bytes > 0
    assert not stopwatch.costs[0].reused


def test_what_this_run_made_is_not_reused() -> None:
    stopwatch = Stopwatch()
    with stopwatch.measure("read"):
        pass
    for stage in ("read", "encode", "encode"):
        stopwatch.reused(stage)
    assert [(cost.stage, cost.reused) for cost in stopwatch.costs] == [
        ("read", False),
        ("encode", True),
    ]


def test_the_peak_covers_what_was_allocated_and_dropped() -> None:
    before = peak_bytes()
    grown = np.ones(before // 8 + (32 << 20) // 8)
    size = grown.nbytes
    del grown
    assert peak_bytes() >= size


def test_a_part_advances_what_it_belongs_to() -> None:
    done: list[int] = []
    with part_of(done.append)("a part", 99) as advance:
        advance(3)
    with silent("nobody watches", 5) as advance:
        advance(4)
    assert done == [3]
