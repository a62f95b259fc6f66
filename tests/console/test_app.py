"""The console as a whole: its headers, what it refuses, and hostile texts on its pages."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from recommender.console.access import Access
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop
from recommender.publishing.embedded import Embedded
from recommender.settings.loading import load
from tests.console.conftest import ORIGIN
from tests.console.hostile import TITLES
from tests.support.shop_files import orders, write_shop

AREAS = (
    *("", "search?q=a", "item?id=a", "why?id=a", "releases", "releases/diff", "quality"),
    *("quality/groups", "operations", "operations/doctor", "operations/log"),
)
PAGES = ("/console/acme/", "/console/acme/search?q=garden", "/console/acme/item?id=plain-1")
KNOWN = frozenset(
    (
        *("html", "head", "meta", "title", "link", "script", "body", "header", "nav", "main"),
        *(
            "section",
            "h1",
            "h2",
            "h3",
            "p",
            "a",
            "span",
            "b",
            "img",
            "svg",
            "circle",
            "path",
            "rect",
        ),
        *("ul", "ol", "li", "dl", "dt", "dd", "div"),
        *("form", "label", "input", "select", "option", "button"),
    )
)
"""The elements that pages have themselves."""


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_security_headers_and_nothing_inline(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for tag, attributes in Elements(answer.text).elements:
        assert tag != "style"
        assert tag != "script" or "src" in attributes
        assert not {name for name in attributes if name == "style" or name.startswith("on")}


def test_hostile_items_are_shown_as_texts(client: TestClient) -> None:
    for item in TITLES:
        answer = client.get("/console/acme/item", params={"id": item})
        assert answer.status_code == 200, item
        page = Elements(answer.text)
        assert item in page.text
        links = [a[name] or "" for _, a in page.elements for name in ("src", "href") if name in a]
        assert not [link for link in links if link.lower().startswith("javascript:")]
        tags = {tag for tag, _ in page.elements}
        assert tags <= KNOWN
        scripts = [attributes["src"] or "" for tag, attributes in page.elements if tag == "script"]
        assert all(source.startswith("/console/~/static/") for source in scripts)


def test_links_lead_to_the_items_that_they_name(client: TestClient) -> None:
    found = set()
    for item in TITLES:
        page = client.get("/console/acme/item", params={"id": item}).text
        for link in re.findall(r'class="name" href="([^"]+)"', page):
            answer = client.get(unescape(link))
            assert answer.status_code == 200
            found.add(link)
    assert len(found) == len(TITLES)


def test_what_is_not_there_is_answered_by_a_page(client: TestClient) -> None:
    for path in ("/console/acme/item?id=nobody", "/console/nowhere/", "/console/acme/x"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "This did not work" in answer.text


@pytest.mark.parametrize("away", [True, False])
def test_a_shop_without_lists_or_store_is_answered_by_pages(tmp_path: Path, away: bool) -> None:
    settings = load(write_shop(tmp_path, orders(("a", "b"))), [])
    with Embedded(settings.state.folder).attach() as url:
        shop = LiveShop(settings, f"unix://{tmp_path}/none.sock" if away else url)
        assert shop.wait(lambda seen: bool(seen.fault), 10)
        app = create_console({shop.name: shop}, Access(link_token="once"))
        client = TestClient(app, base_url=ORIGIN)
        client.get("/console/~/enter?token=once")
        for area in AREAS:
            answer = client.get(f"/console/acme/{area}")
            assert answer.status_code in {200, 400, 503}
            assert "</main>" in answer.text
        shop.close()
