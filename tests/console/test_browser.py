"""The console in Chromium: journeys, three widths, and no violation of WCAG 2.2 AA."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from recommender.console.access import Access
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop
from tests.console.browser import ARGUMENTS, CHROMIUM, PICTURES, Visitor, serving
from tests.console.routes.shops import released

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt-get install chromium"
)
AXE = Path(__file__).parent / "static" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ITEM = f"/console/acme/item?id={quote('<script>alert(1)</script>')}"
PAGES = (
    "/console/acme/",
    "/console/acme/search?q=garden",
    ITEM,
    *(f"{ITEM}&view={view}" for view in ("listed", "nearest", "compare", "query")),
    f"/console/acme/why?id=plain-1&other={quote('a/b')}",
    "/console/acme/item?id=unbroken",
    "/console/acme/item?id=nobody",
    "/console/acme/releases",
    "/console/acme/releases/diff?old=live&new=live",
    "/console/acme/releases/rollback?number=1",
    "/console/acme/quality",
    "/console/acme/quality/groups",
    "/console/acme/quality/groups?group=0",
    "/console/acme/operations",
    "/console/acme/operations/run?number=1",
    "/console/acme/operations/doctor",
    "/console/acme/operations/log",
    "/console/acme/operations/settings",
    "/console/~/sign-in",
)
expect.set_options(timeout=20_000)
UNKNOWN = "the server responded with a status of 404"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def origin(shop: LiveShop) -> Iterator[str]:
    """The origin of a console of the hostile shop, whose link works for this module alone."""
    access = Access(link_token="once")
    with serving(create_console({shop.name: shop}, access, {"127.0.0.1"})) as found:
        yield found


@pytest.fixture(scope="module")
def state(browser: Browser, origin: str) -> object:
    """The cookies of who followed the link."""
    visitor = Visitor(browser, origin)
    visitor.open("/console/~/enter?token=once")
    expect(visitor.page.get_by_role("heading", name="Live now")).to_be_visible()
    assert (visitor.errors, visitor.elsewhere) == ([], [])
    return visitor.context.storage_state()


def test_an_item_is_found_while_typing_and_explained(
    browser: Browser, origin: str, state: object
) -> None:
    visitor = Visitor(browser, origin, storage_state=state)
    page = visitor.open("/console/acme/")
    page.get_by_role("link", name="Items").click()
    page.locator("#q").press_sequentially("green chai")
    expect(page.locator("#said")).to_contain_text("item")
    page.get_by_role("link", name="Garden chair, green").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Garden chair, green")
    page.get_by_role("link", name="Why? Garden table, green").click()
    expect(page.locator(".verdict")).to_contain_text("Yes: it is in the list")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    assert (visitor.errors, visitor.elsewhere) == ([], [])


def test_a_theme_is_chosen_without_a_button(browser: Browser, origin: str, state: object) -> None:
    visitor = Visitor(browser, origin, storage_state=state)
    page = visitor.open("/console/acme/")
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert visitor.errors == []


def test_the_console_works_without_javascript(browser: Browser, origin: str, state: object) -> None:
    visitor = Visitor(browser, origin, storage_state=state, java_script_enabled=False)
    page = visitor.page
    page.goto("/console/acme/search")
    page.locator("#q").fill("green table")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Garden table, green").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Garden table, green")


def test_a_picture_that_is_not_there_leaves_the_letter_of_its_item(
    browser: Browser, origin: str, state: object
) -> None:
    visitor = Visitor(browser, origin, storage_state=state)
    visitor.context.unroute(PICTURES)
    visitor.context.route(PICTURES, lambda route: route.fulfill(status=404))
    page = visitor.open("/console/acme/item?id=plain-1")
    expect(page.locator(".subject .tile img")).to_have_count(0)
    expect(page.locator(".subject .tile b")).to_have_text("G")


@pytest.mark.parametrize(("width", "theme"), [(360, "dark"), (768, "light"), (1400, "light")])
def test_no_page_is_wider_than_the_window_nor_asks_elsewhere(
    browser: Browser, origin: str, state: object, width: int, theme: str
) -> None:
    window = {"width": width, "height": 800}
    visitor = Visitor(browser, origin, storage_state=state, viewport=window, color_scheme=theme)
    for path in PAGES:
        visitor.open(path)
        assert visitor.overflow() == 0, path
    assert [error for error in visitor.errors if UNKNOWN not in error] == []
    assert visitor.elsewhere == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_violates_the_guidelines(
    browser: Browser, origin: str, state: object, theme: str
) -> None:
    visitor = Visitor(browser, origin, storage_state=state, color_scheme=theme)
    found: dict[str, list[object]] = {}
    for path in PAGES:
        page = visitor.open(path)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        run = "tags => axe.run({runOnly: tags}).then(found => found.violations)"
        for violation in page.evaluate(run, TAGS):
            shown = [node["html"] for node in violation["nodes"][:3]]
            found.setdefault(violation["id"], []).append((path, shown))
    assert found == {}


def test_a_held_build_is_approved_and_rolled_back(browser: Browser, tmp_path: Path) -> None:
    with released(tmp_path) as shop:
        app = create_console({shop.name: shop}, Access(link_token="once"))
        with serving(app) as origin:
            visitor = Visitor(browser, origin)
            page = visitor.open("/console/~/enter?token=once")
            page.get_by_role("link", name="Releases").click()
            page.get_by_role("link", name="Approve").click()
            expect(page.locator("main")).to_contain_text("Build 3 goes live for all requests")
            page.get_by_role("button", name="Approve and publish").click()
            expect(page.get_by_role("status").first).to_contain_text("generation 3 is published")
            page.get_by_role("link", name="Roll back to it 2").click()
            page.get_by_role("button", name="Roll back").click()
            expect(page.get_by_role("status").first).to_contain_text("Generation 2 is live")
            page.get_by_role("link", name="Operations").click()
            page.get_by_role("link", name="Audit log").click()
            expect(page.locator("tbody tr")).to_have_count(2)
            assert (visitor.errors, visitor.elsewhere) == ([], [])
