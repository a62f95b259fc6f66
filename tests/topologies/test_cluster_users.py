"""config/redis-acl.conf on a Cluster: what its users may do there, and what not."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from redis.crc import key_slot

from recommender.errors import StoreUnavailable
from recommender.publishing.hidden import Hidden
from recommender.publishing.inspection import inspect_servers
from recommender.publishing.publisher import Publisher
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import open_store
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.serving import builds, servers
from tests.topologies.clusters import Cluster, cluster
from tests.topologies.nodes import ACL, PASSWORD
from tests.topologies.test_users import FORBIDDEN, WRITES, refused, with_passwords

pytestmark = pytest.mark.server

COUNT = 20
ITEMS = list(builds.item_ids(COUNT))
ADMINISTERING = [
    ("CLUSTER", "RESET"),
    ("CLUSTER", "FORGET", "x"),
    ("CLUSTER", "MEET", "127.0.0.1", "1"),
    ("CLUSTER", "ADDSLOTS", "1"),
    ("CLUSTER", "DELSLOTS", "1"),
    ("CLUSTER", "SETSLOT", "1", "STABLE"),
    ("CLUSTER", "FAILOVER"),
    ("CLUSTER", "GETKEYSINSLOT", "1", "1"),
    ("MIGRATE", "127.0.0.1", "1", "rec:acme:1:related:a", "0", "1"),
    ("RESTORE", "rec:acme:1:related:a", "0", "x"),
]


@pytest.fixture(scope="module", params=servers.BINARIES)
def site(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as folder:
        acl = Path(folder, "acl.conf")
        acl.write_text(with_passwords(ACL.read_text()))
        replication = ["--masteruser", "replica", "--masterauth", PASSWORD]
        with cluster(
            request.param, str(acl), replicas=1, options=replication, login=f"admin:{PASSWORD}@"
        ) as found:
            publish(found, "publisher", "acme")
            publish(found, "publisher", "other")
            yield found


def url(site: Cluster, user: str, password: str = PASSWORD) -> str:
    return site.url(f"{user}:{password}@")


def publish(site: Cluster, user: str, shop: str, build: int = 1) -> int:
    with open_store(url(site, user)) as store:
        publisher = Publisher(store, shop, grace_s=0.0)
        return builds.publish(publisher, build, count=COUNT).id


def statuses(site: Cluster, user: str, shop: str = "acme", password: str = PASSWORD) -> set[str]:
    lookup = RelatedItems(url(site, user, password), shop, deadline_s=5.0)
    with closing(lookup):
        lookup.get("nothing")
        return {answer.status for answer in lookup.get_many(ITEMS, n=3)}


def test_a_reader_reads_every_shard(site: Cluster) -> None:
    assert statuses(site, "reader") == {"ok"}

    async def ask() -> set[str]:
        reader = AsyncRelatedItems(url(site, "reader"), "acme", deadline_s=5.0)
        await reader.get("nothing")
        found: set[str] = {answer.status for answer in await reader.get_many(ITEMS, n=3)}
        await reader.aclose()
        return found

    assert asyncio.run(ask()) == {"ok"}


def test_a_reader_follows_a_slot_that_moves(site: Cluster) -> None:
    key = Keys("acme").related_list(1, "related", "item-0")
    source = site.owner(key)
    slot = key_slot(key.encode())
    for target in ((source + 1) % 3, source):
        for _ in site.move(slot, site.owner(key), target):
            assert statuses(site, "reader") == {"ok"}


def test_a_reader_does_nothing_else_on_any_node(site: Cluster) -> None:
    for port in site.ports:
        with Redis.from_url(f"redis://reader:{PASSWORD}@127.0.0.1:{port}") as store:
            tried = FORBIDDEN + WRITES + ADMINISTERING
            assert [command for command in tried if not refused(store, command)] == []


def test_a_publisher_does_all_of_its_work(site: Cluster) -> None:
    with open_store(url(site, "publisher")) as store:
        publisher = Publisher(store, "third", grace_s=0.0)
        for build in (1, 2, 3):
            builds.publish(publisher, build, count=COUNT)
        builds.overlay(publisher, {"item-0": []})
        canary = builds.publish(publisher, 5, count=COUNT, canary_share=0.5)
        assert publisher.promote().id == canary.id
        assert publisher.rollback().id == 3
        publisher.collect()
        hidden = Hidden(store, "third")
        assert hidden.hide(["item-1", "item-2"]) == 2
        assert hidden.unhide(["item-2"]) == 1
        assert hidden.hidden() == ["item-1"]
        assert not any(isinstance(facts, str) for facts in inspect_servers(store).values())


def test_a_publisher_administers_nothing(site: Cluster) -> None:
    for port in site.ports:
        with Redis.from_url(f"redis://publisher:{PASSWORD}@127.0.0.1:{port}") as store:
            tried = FORBIDDEN + ADMINISTERING
            assert [command for command in tried if not refused(store, command)] == []


def test_a_shop_is_closed_to_the_users_of_another(site: Cluster) -> None:
    assert statuses(site, "reader-acme") == {"ok"}
    assert statuses(site, "reader-acme", "other") == {"degraded"}
    assert publish(site, "publisher-acme", "acme", 2)
    with pytest.raises(StoreUnavailable, match=r"(?i)permission"):
        publish(site, "publisher-acme", "other", 2)


def test_who_may_not_read_gets_an_answer_all_the_same(
    site: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    for user, password in (("reader", "S3CR3T-old"), ("default", PASSWORD), ("replica", PASSWORD)):
        assert statuses(site, user, password=password) == {"degraded"}
        with pytest.raises(StoreUnavailable) as failure:
            open_store(url(site, user, "S3CR3T-old"))
        assert "S3CR3T" not in f"{failure.value!r} {failure.value.__cause__!r}"
    assert "S3CR3T" not in caplog.text
