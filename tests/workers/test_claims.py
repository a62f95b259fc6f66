"""Claims on a real server: one holder, a lease, attempts, and a server that lost its data."""

from collections.abc import Iterator

import pytest
from redis import Redis

from recommender.build.steps import Task
from recommender.publishing.publisher import Publisher
from tests.serving.servers import until
from tests.workers.fleet import server
from workers.claims import Claims

pytestmark = pytest.mark.server
TASK = Task("encode", 3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with (
        server(tmp_path_factory.mktemp("store")) as running,
        Redis.from_url(running.url) as store,
    ):
        yield store


@pytest.fixture
def claims(store: Redis) -> Claims:
    store.flushall()
    claims = Claims(Publisher(store, "acme", lease_s=0.5, grace_s=0.1), 1)
    claims.begin()
    return claims


def test_one_holds_a_claim_until_its_lease_ends(claims: Claims) -> None:
    assert claims.take("c", TASK, "one") == (1, "one")
    assert claims.take("c", TASK, "two") == (0, "one")
    assert claims.holders(["c", "d"]) == ["one", ""]
    assert claims.renew("c", "one")
    until(lambda: claims.take("c", TASK, "two")[0] == 2, 2)
    assert not claims.renew("c", "one")
    claims.release("c", "one")
    assert claims.holders(["c"]) == ["two"]
    claims.release("c", "two")
    assert claims.take("c", TASK, "one") == (3, "one")


def test_attempts_are_counted_by_task(claims: Claims) -> None:
    claims.take("c", TASK, "one")
    assert (claims.attempts(TASK), claims.attempts(Task("encode", 4))) == (1, 0)
    claims.forget_attempts(TASK)
    assert claims.attempts(TASK) == 0


def test_after_data_was_lost_nobody_takes_what_another_may_hold(
    claims: Claims, store: Redis
) -> None:
    claims.take("c", TASK, "one")
    store.flushall()
    attempt, holder = claims.take("c", TASK, "two")
    assert (attempt, holder) == (0, "whoever held it before the server lost its data")
    assert claims.renew("c", "one")
    assert claims.take("c", TASK, "two")[0] == 0
    until(lambda: claims.take("d", TASK, "two")[0] == 1, 2)


def test_marks_and_notes(claims: Claims) -> None:
    assert claims.first("encode")
    assert not claims.first("encode")
    assert not claims.marked("publishing")
    claims.mark("publishing")
    assert claims.marked("publishing")
    claims.note("costs", "encode.3", {"seconds": 1.5})
    assert claims.notes("costs") == {"encode.3": {"seconds": 1.5}}


def test_nothing_stays_for_ever(claims: Claims, store: Redis) -> None:
    claims.take("c", TASK, "one")
    claims.first("encode")
    claims.note("costs", "encode.3", {})
    keys = list(store.scan_iter())
    assert len(keys) == 5
    assert all(0 < int(store.ttl(key)) <= 7 * 24 * 3600 or store.pttl(key) > 0 for key in keys)
