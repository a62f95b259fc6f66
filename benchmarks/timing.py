"""Timing of calls that take turns."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def paired(
    ours: Callable[[T], object], bare: Callable[[T], object], asked: list[T]
) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds of each request, put to both in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for request in asked:
        for ask, seconds in zip((ours, bare), times, strict=True):
            started = time.perf_counter()
            ask(request)
            seconds.append(time.perf_counter() - started)
    return np.array(times[0]) * 1e6, np.array(times[1]) * 1e6


def timed(calls: Sequence[Callable[[], object]]) -> np.ndarray:
    """Microseconds of each call."""
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return np.array(times) * 1e6


def quantile(times: np.ndarray, share: float) -> float:
    """The value below which a share of the times lies."""
    return float(np.quantile(times, share))
