"""The page /docs, which needs no other host."""

import re

from fastapi.testclient import TestClient

from recommender.service.app import create_app
from recommender.service.docs_page import DOCS, PATHS
from recommender.service.keys import new_key
from tests.service.fakes import FakeLookup


def test_the_page_and_its_scripts_come_from_this_host(client: TestClient) -> None:
    page = client.get(DOCS)
    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["content-security-policy"]
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {source for source in sources if not source.startswith("data:")} == PATHS - {DOCS}
    for path in PATHS:
        assert client.get(path).status_code == 200
    assert "SwaggerUIBundle" in client.get(f"{DOCS}/swagger-ui-bundle.js").text
    assert "://" not in client.get(f"{DOCS}/start.js").text


def test_the_page_needs_no_key_and_the_document_does() -> None:
    _, kept = new_key("one", ["read"])
    with TestClient(create_app({"acme": FakeLookup()}, [kept])) as client:
        assert client.get(DOCS).status_code == 200
        assert client.get("/openapi.json").status_code == 401
