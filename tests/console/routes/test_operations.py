"""The pages of operations."""

from starlette.testclient import TestClient

from recommender.console.live_shop import LiveShop
from tests.console.conftest import form_token, settled
from tests.console.routes.shops import browser

OPERATIONS = "/console/acme/operations"


def test_runs_are_listed_and_shown_with_their_stages(client: TestClient) -> None:
    assert "operations/run?number=1" in client.get(OPERATIONS).text
    page = client.get(f"{OPERATIONS}/run?number=1").text
    assert "orders.csv" in page
    assert "publish" in page
    for number in ("99", "x", "", "9" * 30):
        assert client.get(f"{OPERATIONS}/run?number={number}").status_code == 404


def test_doctor_looks_in_the_background_and_again(client: TestClient) -> None:
    page = settled(client, f"{OPERATIONS}/doctor")
    assert "extra build" in page
    again = client.post(f"{OPERATIONS}/doctor", data={"csrf": form_token(page)})
    assert again.url.path == f"{OPERATIONS}/doctor"


def test_settings_are_for_operators(client: TestClient, shop: LiveShop) -> None:
    assert "recipe.placements" in client.get(f"{OPERATIONS}/settings").text
    reader = browser(shop, "read")
    assert reader.get(f"{OPERATIONS}/settings").status_code == 403
    assert "operations/settings" not in reader.get(OPERATIONS).text


def test_the_audit_log_is_shown_as_text(client: TestClient, shop: LiveShop) -> None:
    log = shop.settings.audit_log()
    with log.change("<b>anna</b>", "rollback", {"to": "</script>"}, {"live": 1}) as made:
        made.after = {"live": 2}
    page = client.get(f"{OPERATIONS}/log").text
    assert "&lt;b&gt;anna&lt;/b&gt;" in page
    assert "</script>" not in page.split("<main", 1)[1]
