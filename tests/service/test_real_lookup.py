"""The service on a real Redis, through the lookup that storefronts use."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.service.app import create_app
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import open_store
from tests.serving import builds, servers
from tests.serving.test_reader import proxy, whole

pytestmark = pytest.mark.server

COUNT = 9


@pytest.fixture
def url() -> Iterator[str]:
    binary = servers.binary_of("redis-server")
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(binary, Path(folder, "s.sock")) as url,
    ):
        with open_store(url) as store:
            publisher = Publisher(store, "acme", grace_s=0.0)
            lists = [builds.related_lists(COUNT)]
            publisher.publish(builds.item_ids(COUNT), lists, lists_key="l", recipe_digest="d")
        yield url


@pytest.fixture
def client(url: str) -> Iterator[TestClient]:
    lookups = {
        "acme": AsyncRelatedItems(url, "acme", deadline_s=5.0),
        "empty": AsyncRelatedItems(url, "empty", deadline_s=0.2),
    }
    with TestClient(create_app(lookups)) as client:
        yield client


def related(client: TestClient, item: str = "item-0") -> dict[str, object]:
    answer = client.get(f"/v1/acme/items/{item}/related?n=3")
    assert answer.status_code == 200
    shown: dict[str, object] = answer.json()
    return shown


def test_a_list_its_tag_and_a_hidden_item(client: TestClient, url: str) -> None:
    path = "/v1/acme/items/item-0/related?n=3"
    first = client.get(path)
    assert first.json()["status"] == "ok"
    assert [entry["id"] for entry in first.json()["items"]] == ["item-1", "item-2", "item-3"]
    known = {"if-none-match": first.headers["etag"]}
    assert client.get(path, headers=known).status_code == 304
    with open_store(url) as store:
        Hidden(store, "acme").hide(["item-2"])
    servers.until(lambda: client.get(path, headers=known).status_code == 200)
    assert "item-2" not in client.get(path).text


def test_several_items(client: TestClient) -> None:
    batch = {"items": ["item-0", "item-1", "no such", ""], "n": 3}
    lists = client.post("/v1/acme/related", json=batch).json()["lists"]
    assert [each["status"] for each in lists] == ["ok", "ok", "unknown_item", "unknown_item"]
    batch = {"items": ["item-0", "item-1"], "n": 3, "distinct": True}
    lists = client.post("/v1/acme/related", json=batch).json()["lists"]
    shown = [entry["id"] for each in lists for entry in each["items"]]
    assert len(shown) == len(set(shown)) == 4
    batch = {"items": ["item-0", "item-1"], "n": 3, "merged": True}
    (merged,) = client.post("/v1/acme/related", json=batch).json()["lists"]
    assert {entry["id"] for entry in merged["items"]} == {"item-2", "item-3", "item-4"}


def test_a_shop_without_lists_is_answered(client: TestClient) -> None:
    assert_degraded(client, "empty")


def test_a_shop_whose_redis_is_away_is_answered() -> None:
    away = AsyncRelatedItems("unix:///nowhere/s.sock", "away", deadline_s=0.2)
    with TestClient(create_app({"away": away})) as client:
        assert_degraded(client, "away")


def test_the_first_request_finds_redis_read(url: str) -> None:
    with proxy(url.removeprefix("unix://"), whole, handshake_s=0.3) as slow:
        lookups = {"acme": AsyncRelatedItems(slow, "acme", deadline_s=0.05)}
        with TestClient(create_app(lookups)) as client:
            assert related(client)["status"] == "ok"


def assert_degraded(client: TestClient, shop: str) -> None:
    answer = client.get(f"/v1/{shop}/items/item-0/related")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/healthz").json()["shops"][shop]["read_seconds_ago"] is None


@pytest.mark.parametrize("item", ["%00", "a%2Fb", "rec:%7Bacme%7D:live", "%FF", "x" * 4000, "*"])
def test_a_hostile_id_is_unknown(client: TestClient, item: str) -> None:
    assert related(client, item)["status"] == "unknown_item"


def test_metrics_hold_the_counters_of_the_lookup(client: TestClient) -> None:
    related(client)
    assert 'recommender_lookup{shop="acme",what="reads"} 1' in client.get("/metrics").text
