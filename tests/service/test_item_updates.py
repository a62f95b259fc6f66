"""Changes of items over HTTP: who may send them, what is answered, and what lookups show then."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recommender.errors import StoreUnavailable
from recommender.publishing.item_changes import Outcome
from recommender.publishing.publisher import Publisher
from recommender.service.app import create_app
from recommender.service.item_updates import FORM, MAX_CHANGES, StoreUpdates
from recommender.service.keys import new_key
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import open_store
from recommender.settings.service import ServiceSettings
from tests.service.fakes import FakeLookup
from tests.serving import builds, servers
from tests.serving.servers import until

PATH = "/v1/acme/items"
KEY, KEPT = new_key("shop-system", ["merchandise", "read"])
HEADERS = {"x-api-key": KEY}


@pytest.fixture
def url() -> Iterator[str]:
    binary = servers.binary_of("redis-server")
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(binary, Path(folder, "s.sock")) as url,
    ):
        with open_store(url) as store:
            publisher = Publisher(store, "acme", grace_s=0.0)
            lists = [builds.related_lists(9)]
            publisher.publish(builds.item_ids(9), lists, lists_key="l", recipe_digest="d")
        yield url


def gone(_items: Sequence[object]) -> Outcome:
    raise StoreUnavailable("store redis://secret-host: refused")


@pytest.mark.server
def test_changes_are_applied_and_seen(url: str) -> None:
    lookups = {"acme": AsyncRelatedItems(url, "acme", deadline_s=5.0)}
    updates = {"acme": StoreUpdates(url, "acme")}
    with TestClient(create_app(lookups, [KEPT], updates=updates)) as client:

        def shown() -> list[str]:
            answer = client.get("/v1/acme/items/item-0/related", headers=HEADERS)
            return [entry["id"] for entry in answer.json()["items"]]

        def patch(*items: object) -> dict[str, Any]:
            answer = client.patch(PATH, json={"items": items}, headers=HEADERS)
            assert answer.status_code == 200
            content: dict[str, Any] = answer.json()
            return content

        assert "item-1" in shown()
        sold_out = {"id": "item-1", "version": 1, "stock": 0}
        answer = patch(sold_out, sold_out, {"id": "item-2", "price": "x"}, 7)
        assert (answer["applied"], answer["ignored"]) == (1, 1)
        assert [refused["id"] for refused in answer["refused"]] == ["item-2", ""]
        assert "price = 'x': give a number" in answer["refused"][0]["reason"]
        until(lambda: "item-1" not in shown())
        patch({"id": "item-1", "version": 2, "stock": 1})
        until(lambda: "item-1" in shown())
        many = [{"id": f"x{n}", "version": 1, "stock": 1} for n in range(MAX_CHANGES)]
        assert patch(*many)["applied"] == MAX_CHANGES


@pytest.mark.parametrize(
    "body",
    [
        *("[]", "{}", '{"items": []}', '{"items": {}}', '{"items": [1], "n": 2}'),
        f'{{"items": [{"1," * MAX_CHANGES}1]}}',
    ],
)
def test_other_bodies_are_refused(body: str) -> None:
    app = create_app({"acme": FakeLookup()}, [KEPT], updates={"acme": gone})
    with TestClient(app) as client:
        answer = client.patch(PATH, content=body, headers=HEADERS)
        assert (answer.status_code, answer.json()) == (400, {"detail": FORM})
        assert client.patch(PATH, content="{", headers=HEADERS).status_code == 400


def test_a_body_has_the_limit_of_others() -> None:
    settings = ServiceSettings(body_bytes=2048)
    app = create_app({"acme": FakeLookup()}, [KEPT], {}, settings, {"acme": gone})
    with TestClient(app) as client:
        answer = client.patch(PATH, content="x" * 2049, headers=HEADERS)
    assert answer.status_code == 413


def test_a_store_that_is_gone_is_503_without_its_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_app({"acme": FakeLookup()}, [KEPT], updates={"acme": gone})
    with TestClient(app) as client, caplog.at_level(logging.WARNING):
        answer = client.patch(PATH, json={"items": [{"id": "a", "stock": 1}]}, headers=HEADERS)
    assert answer.status_code == 503
    assert "secret-host" not in answer.text
    assert "secret-host" in caplog.text


def test_only_holders_of_keys_may_change_items() -> None:
    read, kept = new_key("web", ["read", "operate", "events"])
    body = {"items": [{"id": "a", "stock": 1}]}
    with TestClient(create_app({"acme": FakeLookup()}, updates={"acme": gone})) as client:
        answer = client.patch(PATH, json=body)
        assert answer.status_code == 403
        assert "only an API key with the role merchandise" in answer.json()["detail"]
    with TestClient(create_app({"acme": FakeLookup()}, [kept, KEPT])) as client:
        assert client.patch(PATH, json=body, headers={"x-api-key": read}).status_code == 403
        assert client.patch(PATH, json=body).status_code == 401
        answer = client.patch(PATH, json=body, headers=HEADERS)
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            "shop 'acme' takes no changes here",
        )
