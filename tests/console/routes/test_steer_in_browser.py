"""Steering in Chromium: a pin from the card to the storefront and back, over a hostile shop."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from recommender.cli.main import run
from recommender.console.access import Access
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop
from recommender.publishing.embedded import Embedded
from recommender.serving.lookup import RelatedItems
from recommender.settings.loading import load
from tests.console.browser import ARGUMENTS, CHROMIUM, Visitor, serving
from tests.console.hostile import LONG, write_hostile_shop
from tests.console.test_browser import AXE, TAGS

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt-get install chromium"
)
STEER = "/console/acme/steer"
SCRIPT = "<script>alert(1)</script>"
FORM = f"{STEER}/add?item={quote(SCRIPT)}&seed=unbroken&action=boost"
RULES = f"""rules:
- name: "<img src=x onerror=alert(1)> {"W" * 60}"
  exclude: long
  lists_of: unbroken
- name: right to left עברית
  bury: ערך
  by: 2
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    folder = tmp_path_factory.mktemp("steered")
    config = write_hostile_shop(folder)
    with config.open("a") as file:
        file.write('[merchandising]\nrules = "rules.yaml"\n')
    (folder / "rules.yaml").write_text(RULES)
    assert run(["reindex", "--config", str(config)]) == 0
    settings = load(config)
    with Embedded(settings.state.folder).attach() as url, closing(LiveShop(settings, url)) as shop:
        assert shop.wait(lambda seen: seen.loaded is not None, 60)
        yield shop


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def origin(shop: LiveShop) -> Iterator[str]:
    access = Access(link_token="once")
    with serving(create_console({shop.name: shop}, access, {"127.0.0.1"})) as found:
        yield found


def served(shop: LiveShop, item: str) -> list[str]:
    with closing(RelatedItems(shop.url, shop.name, deadline_s=5.0)) as lookup:
        return [entry.id for entry in lookup.get(item).items]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_pin_from_the_card_to_the_storefront_and_back(
    shop: LiveShop, browser: Browser, origin: str, *, scripts: bool
) -> None:
    visitor = Visitor(browser, origin, java_script_enabled=scripts)
    page = visitor.page
    page.goto("/console/~/enter?token=once")
    page.goto("/console/acme/item?id=plain-1")
    card = page.locator(".card").last
    last = parse_qs(urlsplit(str(card.locator(".name").get_attribute("href"))).query)["id"][0]
    card.locator("summary").click()
    card.get_by_role("link", name="Pin").click()
    page.get_by_label("Position of the pin").fill("1")
    page.get_by_label("Reason").fill("<b>Spring</b>")
    page.get_by_role("button", name="Add to the draft").click()
    expect(page.get_by_role("heading", name="1 change in your draft")).to_be_visible()
    if not scripts:
        while page.locator("#pending").count():
            page.locator("#pending a").click()
    expect(page.locator(".changed").first).to_contain_text("With the draft")
    assert served(shop, "plain-1")[0] != last
    page.get_by_label("Reason").fill("Spring")
    page.get_by_role("button", name="Apply the draft").click()
    expect(page.locator("main")).to_contain_text("The change is live")
    assert served(shop, "plain-1")[0] == last
    page.get_by_role("link", name="Undo").first.click()
    page.get_by_label("Reason").fill("Over")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("main")).to_contain_text("undoes")
    assert served(shop, "plain-1")[0] != last
    assert (visitor.errors, visitor.elsewhere) == ([], [])
    rules = shop.settings.rule_file()
    assert rules is not None
    assert rules.read_text() == RULES


def test_pages_of_steering_hold_at_every_width_and_keep_the_guidelines(
    browser: Browser, origin: str
) -> None:
    first = Visitor(browser, origin)
    first.open("/console/~/enter?token=once")
    for item in (SCRIPT, "unbroken", "long"):
        page = first.open(f"{STEER}/add?item={quote(item)}&seed=long&action=exclude")
        page.get_by_label("Reason").fill(LONG[:400] if item == "long" else "W" * 400)
        page.get_by_role("button", name="Add to the draft").click()
    page = first.open(f"{STEER}/rules")
    page.get_by_role("button", name="Withdraw").first.click()
    state = first.context.storage_state()
    pages = (STEER, f"{STEER}?item=long", FORM, f"{STEER}/rules", f"{STEER}/history")
    found: list[tuple[str, int, object]] = []
    for width, theme in ((360, "dark"), (768, "light"), (1400, "light")):
        window = {"width": width, "height": 800}
        visitor = Visitor(browser, origin, storage_state=state, viewport=window, color_scheme=theme)
        for path in (*pages, "/console/acme/item?id=plain-1"):
            page = visitor.open(path)
            assert visitor.overflow() == 0, (path, width)
            if width == 768:
                continue
            page.evaluate(AXE.read_text(encoding="utf-8"))
            run_axe = "tags => axe.run({runOnly: tags}).then(found => found.violations)"
            for violation in page.evaluate(run_axe, TAGS):
                shown = [node["html"] for node in violation["nodes"][:3]]
                found.append((path, width, (violation["id"], shown)))
        assert (visitor.errors, visitor.elsewhere) == ([], [])
    assert found == []
