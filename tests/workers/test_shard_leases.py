"""Leases on a real server: one holder, a lease, attempts, and a server that lost its data."""

import pytest
from redis import Redis

from recommender.build.steps import Task
from recommender.publishing.publisher import Publisher
from tests.serving.servers import until
from workers.shard_leases import ShardLeases

pytestmark = pytest.mark.server
TASK = Task("encode", 3)


@pytest.fixture
def leases(store: Redis) -> ShardLeases:
    store.flushall()
    leases = ShardLeases(Publisher(store, "acme", lease_s=0.5, grace_s=0.1), 1)
    leases.begin()
    return leases


def test_one_holds_a_lease_until_its_lease_ends(leases: ShardLeases) -> None:
    assert leases.acquire("c", TASK, "one") == (1, "one")
    assert leases.acquire("c", TASK, "two") == (0, "one")
    assert leases.holders(["c", "d"]) == ["one", ""]
    assert leases.renew("c", "one")
    until(lambda: leases.acquire("c", TASK, "two")[0] == 2, 20)
    assert not leases.renew("c", "one")
    leases.release("c", "one")
    assert leases.holders(["c"]) == ["two"]
    leases.release("c", "two")
    assert leases.acquire("c", TASK, "one") == (3, "one")


def test_attempts_are_counted_by_task(leases: ShardLeases) -> None:
    leases.acquire("c", TASK, "one")
    assert (leases.attempts(TASK), leases.attempts(Task("encode", 4))) == (1, 0)
    leases.reset_attempts(TASK)
    assert leases.attempts(TASK) == 0


def test_after_data_was_lost_nobody_takes_what_another_may_hold(
    leases: ShardLeases, store: Redis
) -> None:
    leases.acquire("c", TASK, "one")
    store.flushall()
    attempt, holder = leases.acquire("c", TASK, "two")
    assert (attempt, holder) == (0, "whoever held it before the server lost its data")
    assert leases.renew("c", "one")
    assert leases.acquire("c", TASK, "two")[0] == 0
    until(lambda: leases.acquire("d", TASK, "two")[0] == 1, 20)


def test_marks_and_records(leases: ShardLeases) -> None:
    assert leases.mark("encode")
    assert not leases.mark("encode")
    assert not leases.marked("publishing")
    leases.mark("publishing")
    assert leases.marked("publishing")
    leases.record("costs", "encode.3", {"seconds": 1.5})
    assert leases.records("costs") == {"encode.3": {"seconds": 1.5}}


def test_nothing_stays_for_ever(leases: ShardLeases, store: Redis) -> None:
    leases.acquire("c", TASK, "one")
    leases.mark("encode")
    leases.record("costs", "encode.3", {})
    keys = list(store.scan_iter())
    # Old and new workers share these keys while a fleet is upgraded.
    assert set(keys) == {
        b"rec:{acme}:fleet:claim:c",
        b"rec:{acme}:fleet:1:from",
        b"rec:{acme}:fleet:1:attempts:encode:3",
        b"rec:{acme}:fleet:1:encode",
        b"rec:{acme}:fleet:1:costs",
    }
    assert all(0 < int(store.ttl(key)) <= 7 * 24 * 3600 or store.pttl(key) > 0 for key in keys)
