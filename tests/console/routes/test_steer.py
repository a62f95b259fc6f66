"""A draft in the console: what it would change, applying it, and undo."""

from contextlib import closing
from pathlib import Path

from recommender.console.live_shop import LiveShop
from recommender.serving.lookup import RelatedItems
from tests.console.conftest import form_token, settled
from tests.console.routes.shops import browser, released
from tests.console.routes.steered import RULES, steered

STEER = "/console/acme/steer"


def served(shop: LiveShop, item: str) -> list[str]:
    with closing(RelatedItems(shop.url, shop.name, deadline_s=5.0)) as lookup:
        return [entry.id for entry in lookup.get(item).items]


def test_a_draft_is_seen_applied_read_and_undone(tmp_path: Path) -> None:
    with steered(tmp_path) as shop:
        client = browser(shop, "read", "merchandise")
        before = served(shop, "a")
        page = client.get(STEER).text
        assert "Your draft is empty." in page
        form = {"csrf": form_token(page), "seed": "a", "lists": "item"}
        client.post(f"{STEER}/add", data=form | {"item": "d", "action": "pin", "position": "1"})
        client.post(f"{STEER}/add", data=form | {"item": "b", "action": "exclude"})
        client.post(f"{STEER}/add", data=form | {"item": "e", "action": "bury"})
        client.post(f"{STEER}/remove", data=form | {"number": "3"})
        page = settled(client, f"{STEER}?item=a&placement=related")
        assert "2 changes in your draft" in page
        assert "pin d to 1 in lists of a" in page
        assert "bury" not in page.partition("</table>")[0]
        assert "1 list of related in which it acts falls short of 12" in page
        assert "new</span>" not in page.partition("With the draft")[0]
        assert (tmp_path / "rules.yaml").read_text() == RULES

        done = client.post(f"{STEER}/apply", data=form | {"reason": "<i>Spring"})
        assert "The change is live (generation 2)." in done.text
        assert "&lt;i&gt;Spring" in done.text
        assert served(shop, "a")[0] == "d"
        assert "b" not in served(shop, "a")
        entry = shop.settings.audit_log().newest(1)[0]
        assert (entry["who"], entry["what"]) == ("anna", "rules.apply")
        change = entry["about"]["id"]

        again = client.post(f"{STEER}/apply", data=form | {"reason": "Again"})
        assert again.status_code == 400
        assert "anna has no draft" in again.text
        asked = client.get(f"{STEER}/undo?id={change}").text
        assert "pin d to 1 in lists of a" in asked
        undone = client.post(f"{STEER}/undo", data=form | {"id": change, "reason": "Over"})
        assert f"undoes {change}" in undone.text
        assert (tmp_path / "rules.yaml").read_text() == RULES
        refused = client.post(f"{STEER}/undo", data=form | {"id": change, "reason": "Over"})
        assert f"change {change} is undone" in refused.text
        assert client.get(f"{STEER}/undo?id=none").status_code == 404
        assert served(shop, "a") != before  # the rule of the file is in force since
        assert "f" not in served(shop, "a")


def test_a_draft_over_other_rules_is_shown_and_taken_over(tmp_path: Path) -> None:
    with steered(tmp_path) as shop:
        client = browser(shop, "read", "merchandise")
        assert "&lt;i&gt;first" in client.get(f"{STEER}/rules").text
        form = {"csrf": form_token(client.get(STEER).text)}
        client.post(f"{STEER}/add", data=form | {"item": "f", "action": "pin", "seed": "a"})
        (tmp_path / "rules.yaml").write_text(RULES + "# later\n")
        page = settled(client, STEER)
        assert "rules.yaml changed since this draft was begun." in page
        assert "is excluded by &#39;&lt;i&gt;first&#39;" in page
        refused = client.post(f"{STEER}/apply", data=form | {"reason": "Spring"})
        assert "rules.yaml changed since the draft of anna was begun" in refused.text
        assert 'value="Spring"' in refused.text
        client.post(f"{STEER}/rebase", data=form)
        assert "changed since" not in settled(client, STEER)
        client.post(f"{STEER}/discard", data=form)
        assert "Your draft is empty." in client.get(STEER).text
        assert "No draft was applied yet." in client.get(f"{STEER}/history").text


def test_without_a_rule_file_the_page_says_what_to_set(tmp_path: Path) -> None:
    with released(tmp_path) as shop:
        client = browser(shop, "read", "merchandise")
        page = client.get(STEER)
        assert page.status_code == 200
        assert "name it in the setting merchandising.rules" in page.text
        assert client.get(f"{STEER}/history").status_code == 400
        assert "steer/add" not in client.get("/console/acme/item?id=a").text
