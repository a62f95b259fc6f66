"""Approving and rolling back in the console: what is said before, the right roles, the log."""

from pathlib import Path

from recommender.console.live_shop import LiveShop
from tests.console.conftest import form_token
from tests.console.routes.shops import browser, released

RELEASES = "/console/acme/releases"


def live_number(shop: LiveShop) -> int:
    with shop.publisher() as publisher:
        live = publisher.live()
    assert live is not None
    return live.id


def test_a_held_build_is_approved_and_rolled_back(tmp_path: Path) -> None:
    with released(tmp_path) as shop:
        client = browser(shop, "read", "operate")
        asked = client.get(f"{RELEASES}/approve?number=3").text
        assert "Build 3 goes live for all requests" in asked
        assert "Generation 2, which is live now, becomes the previous one" in asked
        assert live_number(shop) == 2
        form = {"csrf": form_token(asked), "number": "3"}
        done = client.post(f"{RELEASES}/approve", data=form | {"share": "20"})
        assert "The build was approved: generation 3 is published." in done.text
        assert "canary</span> 20.0%" in done.text
        assert live_number(shop) == 2
        client.post(f"{RELEASES}/promote", data=form)
        assert live_number(shop) == 3
        client.post(f"{RELEASES}/rollback", data=form | {"number": "2"})
        assert live_number(shop) == 2
        entries = shop.settings.audit_log().newest(9)
        assert [(one["who"], one["what"], one["after"]["live"]) for one in entries] == [
            ("anna (console)", "rollback", 2),
            ("anna (console)", "promote", 3),
            ("anna (console)", "approve", 2),
        ]
        refused = client.post(f"{RELEASES}/promote", data=form)
        assert refused.status_code == 400
        assert "there is no canary to promote" in refused.text
        for wrong in ({"number": "x"}, {"number": "1" * 40}):
            assert client.post(f"{RELEASES}/rollback", data=form | wrong).status_code == 400
        assert client.get(f"{RELEASES}/erase").status_code == 404

        reader = browser(shop, "read", "merchandise")
        assert reader.get(f"{RELEASES}/rollback").status_code == 403
        token = form_token(reader.get(RELEASES).text)
        assert reader.post(f"{RELEASES}/rollback", data={"csrf": token}).status_code == 403
        assert client.post(f"{RELEASES}/rollback", data={"csrf": token}).status_code == 403
        assert live_number(shop) == 2
