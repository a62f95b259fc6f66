"""The home page."""

from starlette.testclient import TestClient

from tests.console.conftest import settled


def test_home_shows_what_is_live(client: TestClient) -> None:
    page = settled(client, "/console/acme/")
    assert "Generation</dt><dd>1</dd>" in page
    assert "20 lists of related are short." in page
    assert "Hub share</dt>" in page
