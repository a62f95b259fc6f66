"""The home page."""

from starlette.testclient import TestClient


def test_home_shows_what_is_live(client: TestClient) -> None:
    page = client.get("/console/acme/").text
    assert "Generation</dt><dd>1</dd>" in page
    assert "20 lists of related are short." in page
