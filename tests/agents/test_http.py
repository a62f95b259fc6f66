"""Streamable HTTP: keys, rates, Host and Origin."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from recommender.agents.http import http_app
from recommender.agents.server import AgentServer
from recommender.service.keys import new_key
from recommender.settings.service import ServiceSettings

ASK: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
HEADERS = {"accept": "application/json, text/event-stream", "host": "localhost"}


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str, str]:
    """A file of keys, one that may read and one that may not."""
    (reads, kept), (writes, other) = new_key("reader", ["read"]), new_key("desk", ["merchandise"])
    path = tmp_path / "keys"
    path.write_text(f"{kept.line()}\n{other.line()}\n")
    return path, reads, writes


@pytest.fixture
def client(agents: AgentServer, keys: tuple[Path, str, str]) -> Iterator[TestClient]:
    service = ServiceSettings(api_keys=str(keys[0]), requests_per_s=5, body_bytes=2048)
    with TestClient(http_app(agents.server(), service, ["localhost"])) as client:
        yield client


def status(client: TestClient, key: str = "", **headers: str) -> int:
    given = HEADERS | ({"x-api-key": key} if key else {}) | headers
    return client.post("/mcp", json=ASK, headers=given).status_code


def test_a_key_that_may_read_is_needed(client: TestClient, keys: tuple[Path, str, str]) -> None:
    _, reads, writes = keys
    assert status(client) == 401
    assert status(client, "wrong") == 401
    assert status(client, writes) == 403
    answer = client.post("/mcp", json=ASK, headers=HEADERS | {"x-api-key": reads})
    assert answer.status_code == 200
    assert len(answer.json()["result"]["tools"]) == 5


def test_host_origin_and_size_are_checked(client: TestClient, keys: tuple[Path, str, str]) -> None:
    _, reads, _ = keys
    assert status(client, reads, host="evil.example") == 421
    assert status(client, reads, origin="http://evil.example") == 403
    assert status(client, reads, origin="http://localhost:3000") == 200
    body = ASK | {"params": {"x": "y" * 3000}}
    answer = client.post("/mcp", json=body, headers=HEADERS | {"x-api-key": reads})
    assert answer.status_code == 413


def test_a_key_has_a_rate(client: TestClient, keys: tuple[Path, str, str]) -> None:
    _, reads, _ = keys
    assert [status(client, reads) for _ in range(7)].count(429) >= 1
