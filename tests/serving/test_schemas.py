"""Two releases at once: storefronts and publishers are not upgraded at the same moment."""

import json
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from recommender.publishing.publisher import Publisher
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.serving import builds, servers
from tests.serving.builds import N
from tests.serving.test_lookup import soon

ITEM = "item-4"


def successor(act: str, url: str, shop: str, argument: str) -> dict[str, Any]:
    """Run the next release; returns what it printed."""
    command = [sys.executable, "-m", "tests.serving.successor", act, url, shop, argument]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, text=True)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def ids(build: int) -> list[str]:
    return [entry.id for entry in builds.expected(4, N, build=build)]


@pytest.mark.fault(45)
def test_a_reader_of_today_under_a_publisher_of_tomorrow(
    publisher: Publisher, store: Redis, server_url: str, shop: str
) -> None:
    builds.publish(publisher, 1)
    with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as lookup:
        assert lookup.get(ITEM, n=3).status == "ok"
        assert successor("publish", server_url, shop, "2") == {"generation": 2}
        servers.until(lambda: lookup.get(ITEM, n=3).status == "stale")
        cached = lookup.get(ITEM, n=3)
        assert (cached.generation, cached.items) == (1, builds.expected(4, N))
        unseen = lookup.get("item-9", n=3)
        assert (unseen.status, unseen.generation, unseen.ids) == ("fallback", 1, ("item-0",))
        servers.until(lambda: lookup.stats()["schema_unsupported"] > 1)
        assert "pointer_unreadable" not in lookup.stats()
        assert lookup.stats()["breaker_opened"] == 0
        # A reader that starts now knows nothing; it is degraded, and does not raise.
        with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as late:
            assert late.get(ITEM).status == "degraded"
        # The publisher of today takes over again, and readers follow.
        assert builds.publish(publisher, 3).id == 3
        soon(lookup, lambda: lookup.get("item-9", n=3).generation == 3)
        builds.assert_live(server_url, shop, N, generation=3, build=3)
    assert [found.id for found in publisher.generations()] == [3, 2]


@pytest.mark.fault(46)
def test_a_reader_of_tomorrow_under_a_publisher_of_today(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    """Readers first, then publishers: the order in which to upgrade."""
    builds.publish(publisher, 1)
    read = successor("read", server_url, shop, ITEM)
    assert read == {"generation": 1, "status": "ok", "ids": ids(1)}
    successor("publish", server_url, shop, "2")
    read = successor("read", server_url, shop, ITEM)
    assert read == {"generation": 2, "status": "ok", "ids": ids(2)}


@pytest.mark.fault(45)
def test_a_pointer_that_is_none_is_counted_apart(
    publisher: Publisher, store: Redis, server_url: str, shop: str
) -> None:
    builds.publish(publisher, 1)
    with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as lookup:
        assert lookup.wait_ready()
        store.set(Keys(shop).live, b"garbage")
        servers.until(lambda: lookup.stats().get("pointer_unreadable", 0) > 0)
        assert "schema_unsupported" not in lookup.stats()
