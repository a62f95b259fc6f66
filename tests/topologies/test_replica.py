"""A primary and its replica: storefronts read the one, builds are published to the other."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis

from recommender.core.telemetry import Advance, Progress, silent
from recommender.errors import StoreUnavailable
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from tests.serving import builds, servers
from tests.topologies.nodes import ACL, PASSWORD, free_port, node
from tests.topologies.test_users import with_passwords

pytestmark = pytest.mark.server

COUNT = 9


class Pair(NamedTuple):
    primary: int
    replica: int

    def url(self, user: str, *, replica: bool = False) -> str:
        port = self.replica if replica else self.primary
        return f"redis://{user}:{PASSWORD}@127.0.0.1:{port}"


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both have the users of config/redis-acl.conf; the replica logs in as `replica`."""
    pair = Pair(free_port(), free_port())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        acl = folder / "acl.conf"
        acl.write_text(with_passwords(ACL.read_text()))
        follow = ["--replicaof", f"127.0.0.1 {pair.primary}", "--repl-diskless-sync-delay", "0"]
        login = ["--masteruser", "replica", "--masterauth", PASSWORD]
        alone = [str(acl), "--repl-diskless-sync-delay", "0", "--port"]
        with (
            node(folder / "p", pair.url("admin"), *alone, str(pair.primary)),
            node(
                folder / "r",
                pair.url("admin", replica=True),
                *alone,
                str(pair.replica),
                *follow,
                *login,
            ) as replica,
        ):
            servers.until(lambda: replica.info("replication")["master_link_status"] == "up")
            yield pair


def publish(url: str, build: int, progress: Progress = silent) -> int:
    with open_store(url) as store:
        publisher = Publisher(store, "acme", lease_s=1.0, batch=2, grace_s=0.0)
        lists = [builds.related_lists(COUNT, build=build)]
        made = publisher.publish(
            builds.item_ids(COUNT),
            lists,
            lists_key=f"l-{build}",
            recipe_digest="d",
            progress=progress,
        )
    return made.id


def test_a_replica_is_read_and_takes_over(pair: Pair) -> None:
    first = publish(pair.url("publisher"), 1)
    read_from = pair.url("reader", replica=True)
    lookup = RelatedItems(read_from, "acme", deadline_s=5.0)
    servers.until(lambda: lookup.get("item-0", n=3).generation == first)
    builds.assert_live(read_from, "acme", COUNT, generation=first, build=1)
    with pytest.raises(StoreUnavailable, match=r"(?i)read.?only"):
        publish(pair.url("publisher", replica=True), 2)
    with Redis.from_url(pair.url("admin", replica=True)) as admin:
        admin.replicaof("NO", "ONE")
    assert lookup.get("item-0", n=3).status == "ok"
    second = publish(pair.url("publisher", replica=True), 2)
    assert second > first
    servers.until(lambda: lookup.get("item-0", n=3).generation == second)
    builds.assert_live(read_from, "acme", COUNT, generation=second, build=2)
    lookup.close()


@pytest.mark.fault(51)
def test_a_failover_in_the_middle_of_a_publish_leaves_the_old_lists_whole(pair: Pair) -> None:
    first = publish(pair.url("publisher"), 1)

    @contextmanager
    def failing_over(_what: str, _total: int) -> Iterator[Advance]:
        """After the first batch the roles change: the old primary is read-only now."""
        steps = [lambda: fail_over(pair)]
        yield lambda _n: steps.pop()() if steps else None

    with pytest.raises(StoreUnavailable, match=r"(?i)read.?only"):
        publish(pair.url("publisher"), 2, failing_over)
    read_from = pair.url("reader", replica=True)
    builds.assert_live(read_from, "acme", COUNT, generation=first, build=1)
    last = publish(pair.url("publisher", replica=True), 3)
    builds.assert_live(read_from, "acme", COUNT, generation=last, build=3)
    with Redis.from_url(pair.url("admin", replica=True)) as admin:
        kept = {int(key.split(b":")[2]) for key in admin.scan_iter("rec:acme:*")}
    assert kept == {first, last}


def fail_over(pair: Pair) -> None:
    """Promote the replica once it has everything, and let the old primary follow it."""
    with (
        Redis.from_url(pair.url("admin")) as old,
        Redis.from_url(pair.url("admin", replica=True)) as new,
    ):
        written = int(old.info("replication")["master_repl_offset"])
        servers.until(lambda: int(new.info("replication")["slave_repl_offset"]) >= written)
        new.replicaof("NO", "ONE")
        old.replicaof("127.0.0.1", str(pair.replica))
