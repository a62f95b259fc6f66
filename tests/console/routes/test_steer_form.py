"""The form that adds a change to a draft."""

from pathlib import Path

from recommender.console.routes.steer_form import steering_of
from recommender.publishing.hidden import Hidden
from tests.console.conftest import form_token
from tests.console.routes.shops import browser
from tests.console.routes.steered import steered

STEER = "/console/acme/steer"


def test_what_is_asked_on_a_card_is_in_the_draft(tmp_path: Path) -> None:
    with steered(tmp_path) as shop:
        client = browser(shop, "read", "merchandise")
        page = client.get("/console/acme/item?id=a").text
        link = (
            f"{STEER}/add?action=pin&amp;item=%3Cb%3Ec&amp;seed=a&amp;placement=related&amp;rank="
        )
        assert link in page
        asked = client.get(f"{STEER}/add?action=pin&item=%3Cb%3Ec&seed=a&placement=related&rank=3")
        assert 'id="action-pin" value="pin" required checked' in asked.text
        assert 'max="1000" value="3"' in asked.text
        assert "<b>c" not in asked.text
        form = {
            "csrf": form_token(asked.text),
            "item": "<b>c",
            "seed": "a",
            "placement.related": "on",
        }
        given = {"action": "pin", "position": "2", "lists": "item", "reason": "<i>why"}
        assert client.post(f"{STEER}/add", data=form | given).status_code == 200
        given = {
            "action": "boost",
            "by": "3",
            "scope": "item",
            "lists": "all",
            "from": "2020-01-01",
        }
        client.post(f"{STEER}/add", data=form | given)
        client.post(f"{STEER}/add", data=form | {"action": "hide", "item": "d"})
        client.post(f"{STEER}/withdraw", data=form | {"rule": "<i>first"})
        draft = steering_of(shop).drafts.of("anna")
        assert [str(change) for change in draft.changes] == [
            "pin <b>c to 2 in lists of a, related",
            "boost <b>c by 3, related, from 2020-01-01",
            "hide d",
            "withdraw rule <i>first",
        ]
        assert draft.changes[0].reason == "<i>why"

        wrong = client.post(
            f"{STEER}/add", data=form | {"action": "replace", "until": "2020-01-01"}
        )
        assert wrong.status_code == 400
        assert "there is no with" in wrong.text
        assert 'value="2020-01-01"' in wrong.text
        for bad in (
            {"action": "explode"},
            {"action": "withdraw"},
            {"action": "bury", "scope": "explode"},
        ):
            assert client.post(f"{STEER}/add", data=form | bad).status_code == 400
        assert client.post(f"{STEER}/add", data=form | {"item": "zz"}).status_code == 404
        assert steering_of(shop).drafts.of("anna") == draft

        with shop.connection() as store:
            Hidden(store, shop.name).hide(["e"])
        assert shop.wait(lambda seen: "e" in seen.hidden, 20)
        assert 'value="unhide"' in client.get(f"{STEER}/add?item=e").text
        client.post(f"{STEER}/add", data=form | {"item": "e", "action": "unhide"})
        assert str(steering_of(shop).drafts.of("anna").changes[-1]) == "unhide e"


def test_only_merchandisers_steer(tmp_path: Path) -> None:
    with steered(tmp_path) as shop:
        reader = browser(shop, "read", "operate")
        assert "steer/add" not in reader.get("/console/acme/item?id=a").text
        assert reader.get(f"{STEER}/add?item=b").status_code == 403
        token = form_token(reader.get(STEER).text)
        for page in ("add", "withdraw", "remove", "discard", "rebase", "apply", "undo"):
            answer = reader.post(f"{STEER}/{page}", data={"csrf": token, "item": "b"})
            assert answer.status_code == 403, page
        assert reader.get(f"{STEER}/undo").status_code == 403
        client = browser(shop, "read", "merchandise")
        assert client.post(f"{STEER}/add", data={"csrf": token, "item": "b"}).status_code == 403
