"""Sentinels name the primary: lookups and publishers follow a failover, on real servers."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from recommender.core.generation import Generation
from recommender.errors import StoreUnavailable
from recommender.publishing.publisher import Publisher
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from tests.serving import builds, servers
from tests.topologies.nodes import PASSWORD, free_port
from tests.topologies.sentinels import SERVICE, Watched, watched
from tests.topologies.test_tls import VALID, authority, certificate

pytestmark = pytest.mark.server

COUNT = 9
AWAY = {"stale", "fallback"}
"""The statuses of answers during a failover."""


@pytest.fixture
def site() -> Iterator[Watched]:
    with watched() as found:
        yield found


def url_of(site: Watched, options: str = "") -> str:
    return f"redis+sentinel://{site.hosts()}/{SERVICE}{options}"


def publish(store: Redis, build: int) -> Generation:
    return Publisher(store, "acme", lease_s=1.0, grace_s=0.0).publish(
        builds.item_ids(COUNT),
        [builds.related_lists(COUNT, build=build)],
        lists_key=f"l-{build}",
        recipe_digest="d",
    )


def published(store: Redis, build: int) -> bool:
    """Whether the Sentinels are sure enough of the primary for a publisher."""
    try:
        return publish(store, build).id == build
    except StoreUnavailable:
        return False


def reading(url: str) -> RelatedItems:
    lookup = RelatedItems(url, "acme", cache_items=0)
    assert lookup.wait_ready(20)
    return lookup


def test_lookups_and_publishers_follow_a_failover(site: Watched) -> None:
    url = url_of(site)

    async def of_a_loop(gone: asyncio.Event, back: int) -> set[str]:
        """The statuses from when the primary is gone until the generation `back` is read."""
        seen: set[str] = set()
        lookup = AsyncRelatedItems(url, "acme", cache_items=0)
        assert await lookup.wait_ready(20)
        assert (await lookup.get("item-0", n=3)).status == "ok"
        gone.set()
        async with asyncio.timeout(30):
            while (answer := await lookup.get("item-0", n=3)).generation != back or (
                answer.status != "ok"
            ):
                seen.add(answer.status)
                await asyncio.sleep(0.01)
        await lookup.aclose()
        return seen

    def fails_over(store: Redis) -> set[str]:
        site.replicated()
        site.signal(0, signal.SIGKILL)
        seen: set[str] = set()
        while site.named() == site.servers[0]:
            seen.add(lookup.get("item-0", n=3).status)
        servers.until(lambda: lookup.get("item-0", n=3).status == "ok")
        servers.until(lambda: published(store, 2))
        servers.until(lambda: lookup.get("item-0", n=3).generation == 2)
        return seen

    async def both(store: Redis) -> tuple[set[str], set[str]]:
        gone = asyncio.Event()
        in_loop = asyncio.create_task(of_a_loop(gone, 2))
        await gone.wait()
        return await asyncio.to_thread(fails_over, store), await in_loop

    with open_store(url) as store, closing(reading_after(url, store)) as lookup:
        assert isinstance(store, Redis)
        assert lookup.get("item-0", n=3).status == "ok"
        in_threads, in_loop = asyncio.run(both(store))
    for seen in (in_threads, in_loop):
        assert seen & AWAY
        assert seen <= AWAY | {"ok"}
    builds.assert_live(url, "acme", COUNT, generation=2, build=2)


def reading_after(url: str, store: object) -> RelatedItems:
    """A lookup that is ready, of a shop that is published first."""
    assert isinstance(store, Redis)
    assert publish(store, 1).id == 1
    return reading(url)


def test_a_change_of_roles_is_followed_while_the_old_primary_answers(site: Watched) -> None:
    """The old primary keeps its connections until it is told, and is a replica from then on."""
    url = url_of(site)
    with open_store(url) as store, closing(reading_after(url, store)) as lookup:
        assert isinstance(store, Redis)
        site.replicated()
        site.clients[1].replicaof("NO", "ONE")
        site.watchers[0].sentinel_remove(SERVICE)
        site.watchers[0].sentinel_monitor(SERVICE, "127.0.0.1", site.servers[1], 1)
        with open_store(url) as new:
            assert isinstance(new, Redis)
            assert publish(new, 2).id == 2
        servers.until(lambda: lookup.get("item-0", n=3).generation == 2)
        assert int(site.clients[0].info("keyspace")["db0"]["keys"]) > 0


def test_no_sentinel_is_one_line(refused_port: int) -> None:
    url = f"redis+sentinel://u:{PASSWORD}@127.0.0.1:{refused_port}/shop"
    with pytest.raises(StoreUnavailable, match="No master found for 'shop'") as failure:
        open_store(f"{url}?sentinel_password={PASSWORD}")
    assert PASSWORD not in str(failure.value)
    with closing(RelatedItems(url, "acme")) as lookup:
        assert {lookup.get("item-0").status for _ in range(20)} == {"degraded"}
        servers.until(lambda: lookup.stats().get("sentinel_failures", 0) > 0)


def test_a_server_that_is_no_sentinel_gets_a_hint(
    site: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    server = f"127.0.0.1:{site.servers[0]}"
    with pytest.raises(StoreUnavailable, match=r"no Sentinel, write redis://"):
        open_store(f"redis+sentinel://{server}/shop")
    with closing(RelatedItems(f"redis+sentinel://{server}/shop", "acme")) as lookup:
        assert lookup.get("item-0").status == "degraded"
        servers.until(lambda: "no Sentinel, write redis://" in caplog.text)
    with closing(RelatedItems(f"redis://{site.hosts()}", "acme")) as lookup:
        assert lookup.get("item-0").status == "degraded"
        servers.until(lambda: "write redis+sentinel://host:port/service" in caplog.text)
    with pytest.raises(StoreUnavailable, match="No master found for 'other'"):
        open_store(f"redis+sentinel://{site.hosts()}/other")


@pytest.mark.long
def test_a_hung_primary_is_left_and_comes_back_as_a_replica() -> None:
    with watched(3) as site:
        dead = f"127.0.0.1:{free_port()}"
        url = f"redis+sentinel://{dead},{site.hosts()}/{SERVICE}"
        with open_store(url) as store, closing(reading_after(url, store)) as lookup:
            assert isinstance(store, Redis)
            site.replicated()
            old = site.clients[0]
            process = int(old.info("server")["process_id"])
            os.kill(process, signal.SIGSTOP)
            try:
                servers.until(lambda: site.named() == site.servers[1], 60)
                servers.until(lambda: lookup.get("item-0", n=3).status == "ok", 60)
                servers.until(lambda: published(store, 2), 60)
                servers.until(lambda: lookup.get("item-0", n=3).generation == 2)
            finally:
                os.kill(process, signal.SIGCONT)
            servers.until(lambda: old.info("replication")["role"] == "slave", 60)
            assert lookup.get("item-0", n=3).generation == 2


@pytest.mark.long
def test_sentinels_and_servers_have_passwords_and_speak_tls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority(tmp_path, "ca")
    certificate(tmp_path, "valid", VALID)
    tls = [
        *("--tls-auth-clients", "no", "--tls-replication", "yes"),
        *("--tls-cert-file", str(tmp_path / "valid.crt")),
        *("--tls-key-file", str(tmp_path / "valid.key")),
        *("--tls-ca-cert-file", str(tmp_path / "ca.crt")),
    ]
    with watched(3, password=PASSWORD, tls=tls, query="?ssl_cert_reqs=none") as site:
        place = f"rediss+sentinel://:{PASSWORD}@{site.hosts()}/{SERVICE}"
        trusted = f"ssl_ca_certs={tmp_path}/ca.crt"
        url = f"{place}?{trusted}&sentinel_password={PASSWORD}"
        with open_store(url) as store, closing(reading_after(url, store)) as lookup:
            assert isinstance(store, Redis)
            site.replicated()
            site.signal(0, signal.SIGKILL)
            servers.until(lambda: site.named() == site.servers[1], 60)
            servers.until(lambda: lookup.get("item-0", n=3).status == "ok", 60)
            servers.until(lambda: published(store, 2), 60)
            servers.until(lambda: lookup.get("item-0", n=3).generation == 2)
        for wrong in (f"{place}?{trusted}", f"{place}?sentinel_password={PASSWORD}"):
            with pytest.raises(StoreUnavailable) as failure:
                open_store(wrong)
            assert PASSWORD not in str(failure.value)
    assert PASSWORD not in "".join(
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    )
