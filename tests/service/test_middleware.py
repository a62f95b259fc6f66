"""API keys and HEAD, before every route."""

import pytest
from fastapi.testclient import TestClient

from recommender.errors import ConfigError
from recommender.service.app import create_app
from tests.service.fakes import FakeLookup

PATH = "/v1/acme/items/a/related"
BATCH = "/v1/acme/related"


@pytest.mark.parametrize("path", [PATH, "/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    answer, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (answer.status_code, b"")
    assert head.headers["content-type"] == answer.headers["content-type"]
    assert int(head.headers["content-length"]) > 0
    assert client.head(BATCH).status_code == 405


def test_api_keys_guard_all_but_the_health(lookup: FakeLookup) -> None:
    app = create_app({"acme": lookup}, frozenset({"key-one", "key-two"}))
    with TestClient(app) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        for path in (PATH, "/metrics", "/openapi.json", "/nowhere", "/healthz/", BATCH):
            answer = client.get(path)
            assert answer.status_code == 401
            assert "X-API-Key" in answer.json()["detail"]
        for wrong in ("key", "key-one ,key-two", "", "KEY-ONE"):
            assert client.get(PATH, headers={"x-api-key": wrong}).status_code == 401
        twice = [("x-api-key", "key-one"), ("x-api-key", "key-two")]
        assert client.get(PATH, headers=twice).status_code == 401
        for known in ("key-one", "key-two"):
            answer = client.get(PATH, headers={"x-api-key": known})
            assert answer.status_code == 200
            assert answer.headers["cache-control"].startswith("private")
    assert lookup.asked == [("get", "a", "related", 12, (), 0.0, "")] * 2


@pytest.mark.parametrize("key", ["", " S3CR3T", "S3CR3T\n", "S3CR3T-ü", "S3CR3T\x00"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="API keys") as refusal:
        create_app({}, frozenset({key}))
    assert "S3CR3T" not in str(refusal.value)
