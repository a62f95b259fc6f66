"""Storefronts in processes of their own read while generations come, go back, and are collected."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from redis import Redis

from recommender.publishing.publisher import Publisher
from tests.serving import builds, servers
from tests.serving.reading import BUILDS

COUNT, READERS = 400, 4
NOT_READ = ("exceptions", "mixed", "wrong", "stale", "fallback", "degraded", "unknown_item")


@contextmanager
def storefronts(url: str, shop: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that read. Their input is closed to end them."""
    command = [sys.executable, "-m", "tests.serving.reading", url, shop, str(COUNT)]
    readers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(READERS)
    ]
    try:
        yield readers
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def told(readers: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    return [json.loads(reader.communicate(timeout=30)[0]) for reader in readers]


def until_all_read(store: Redis, server_url: str) -> None:
    """Each reader polls and has two connections more."""
    servers.until(lambda: len(lookups(store)) >= 3 * READERS, timeout_s=60)


def lookups(store: Redis) -> list[dict[str, str]]:
    return [each for each in store.client_list() if each["name"] == "recommender-lookup"]


def publish(publisher: Publisher, number: int) -> None:
    made = builds.publish(publisher, 1 + number % BUILDS, count=COUNT)
    assert made.id == number


@pytest.mark.fault(53, 55)
def test_twenty_swaps_are_not_noticed_nor_is_a_pause_of_a_reader(
    store: Redis, server_url: str, shop: str
) -> None:
    publisher = Publisher(store, shop, grace_s=1.0)
    publish(publisher, 1)
    with storefronts(server_url, shop) as readers:
        until_all_read(store, server_url)
        for number in range(2, 22):
            # Three seconds: the paused reader wakes to lists that were collected meanwhile.
            if number == 8:
                os.kill(readers[0].pid, signal.SIGSTOP)
            publish(publisher, number)
            if number == 12:
                os.kill(readers[0].pid, signal.SIGCONT)
        found = told(readers)
    counts = sum((Counter(each["counts"]) for each in found[1:]), Counter[str]())
    assert {name: counts[name] for name in NOT_READ} == dict.fromkeys(NOT_READ, 0)
    assert counts["reads"] > 10_000
    for each in found:
        generations = [generation for _, generation in each["seen"]]
        assert generations == sorted(set(generations))
        assert len(generations) > 8
    # Who slept past its deadline says so, for the one question that it was at.
    paused = Counter(found[0]["counts"])
    assert {paused[name] for name in ("exceptions", "mixed", "wrong", "unknown_item")} == {0}
    assert sum(paused[name] for name in ("stale", "fallback", "degraded")) <= 12


@pytest.mark.fault(54)
def test_rollbacks_are_seen_by_all_within_two_seconds(
    store: Redis, server_url: str, shop: str
) -> None:
    publisher = Publisher(store, shop, grace_s=1.0)
    publish(publisher, 1)
    publish(publisher, 2)
    moved: list[tuple[float, int]] = []
    with storefronts(server_url, shop) as readers:
        until_all_read(store, server_url)
        for _ in range(6):
            generation = publisher.rollback().id
            moved.append((time.time(), generation))
            time.sleep(2)
        found = told(readers)
    for each in found:
        counts = Counter(each["counts"])
        assert {name: counts[name] for name in NOT_READ} == dict.fromkeys(NOT_READ, 0)
        seen = [(at, generation) for at, generation in each["seen"] if at >= moved[0][0] - 0.1]
        assert [generation for _, generation in seen][-6:] == [made for _, made in moved]
        assert all(at - since < 2 for (at, _), (since, _) in zip(seen[-6:], moved, strict=True))
        assert all(one[1] != other[1] for one, other in pairwise(seen))
