"""Publishes that are interrupted, and the keys that they leave."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from recommender.core import failpoints
from recommender.core.telemetry import Advance, Progress
from tests.serving.builds import N

KEYS = N + 1
"""Lists of one generation in Redis: the items' and the best sellers'."""


Live = Callable[[int, int], None]


def after(batches: int, act: Callable[[], object]) -> Progress:
    """Progress that calls `act` once, when so many batches are written."""

    @contextmanager
    def progress(_what: str, _total: int) -> Iterator[Advance]:
        written = []

        def advance(units: int) -> None:
            written.append(units)
            if len(written) == batches:
                act()

        yield advance

    return progress


def list_keys(store: Redis, shop: str, generation: int | str = "*") -> set[bytes]:
    return set(store.scan_iter(match=f"rec:{shop}:{generation}:*", count=1000))


def all_keys(store: Redis) -> set[bytes]:
    return set(store.scan_iter(count=1000))


def fail_at(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def hit(name: str) -> None:
        if name == place:
            raise OSError(name)

    monkeypatch.setattr(failpoints, "hit", hit)
