"""The pages of releases."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from recommender.console.live_shop import LiveShop
from tests.console.conftest import settled
from tests.console.routes.shops import browser, released


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    with released(tmp_path_factory.mktemp("releases")) as made:
        yield made


def test_generations_and_held_builds_are_listed(shop: LiveShop) -> None:
    page = browser(shop, "read").get("/console/acme/releases").text
    assert '<th scope="row" class="number">2</th>' in page
    assert "Build 3:" in page
    assert "releases/approve" not in page
    assert "releases/rollback" not in page
    page = browser(shop, "read", "operate").get("/console/acme/releases").text
    assert "releases/approve?number=3" in page
    assert "releases/rollback?number=1" in page


def test_two_releases_are_compared_by_their_titles(shop: LiveShop) -> None:
    client = browser(shop, "read")
    page = settled(client, "/console/acme/releases/diff")
    assert "Release 1 compared with 2" in page
    assert "item?id=%3Cb%3Ex" in page
    unknown = client.get("/console/acme/releases/diff?old=77")
    assert unknown.status_code == 400
    assert "there is no release" in unknown.text


def test_an_item_is_shown_in_another_release(shop: LiveShop) -> None:
    client = browser(shop, "read")
    asked = {"id": "a", "view": "compare", "release": "previous"}
    page = settled(client, f"/console/acme/item?{urlencode(asked)}")
    assert "Release 1 (previous)" in page
    assert "Live now: 2" in page
    wrong = client.get("/console/acme/item", params=asked | {"release": "77"})
    assert "there is no release" in wrong.text


def test_the_placement_of_a_comparison_is_chosen(shop: LiveShop, tmp_path: Path) -> None:
    client = browser(shop, "read")
    for placement in ("related", "<script>"):
        asked = {"old": "1", "new": "2", "placement": placement}
        answer = client.get("/console/acme/releases/diff", params=asked)
        assert answer.status_code == 200
        assert "<script>" not in answer.text.replace("<script src", "")
