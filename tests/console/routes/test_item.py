"""The page of an item."""

import shlex
from urllib.parse import unquote, urlsplit

from starlette.testclient import TestClient

from recommender.console.live_shop import LiveShop
from recommender.publishing.hidden import Hidden
from tests.console.test_app import Elements

PAGE = "/console/acme/item"


def test_an_item_is_shown_with_its_lists(client: TestClient, shop: LiveShop) -> None:
    loaded = shop.seen().loaded
    assert loaded is not None
    row = loaded.catalogue.ids.row("plain-1")
    listed = loaded.placements["related"].lists.of(row)
    page = client.get("/console/acme/item?id=plain-1").text
    assert page.count('<li class="card') == min(12, len(listed))
    assert f"{listed.scores[0]:.1%}" in page
    assert "3.50" in page


def test_a_hidden_item_is_marked(client: TestClient, shop: LiveShop) -> None:
    with shop.connection() as store:
        hidden = Hidden(store, shop.name)
        hidden.hide(["plain-2"])
        assert shop.wait(lambda seen: "plain-2" in seen.hidden, 10)
        assert "Hidden</span>" in client.get("/console/acme/item?id=plain-2").text
        hidden.unhide(["plain-2"])
    assert shop.wait(lambda seen: "plain-2" not in seen.hidden, 10)


def test_the_lists_that_show_an_item_are_named(client: TestClient, shop: LiveShop) -> None:
    loaded = shop.seen().loaded
    assert loaded is not None
    count = int(loaded.placements["related"].listings.counts[loaded.catalogue.ids.row("a/b")])
    page = client.get(PAGE, params={"id": "a/b", "view": "listed"}).text
    assert page.count('<li class="card') == count
    for wrong in ("2", "0", "-1", "x", "9" * 30):
        answer = client.get(PAGE, params={"id": "a/b", "view": "listed", "page": wrong})
        assert answer.status_code == 200


def test_the_nearest_by_each_origin_are_shown(client: TestClient) -> None:
    page = client.get(PAGE, params={"id": "plain-1", "view": "nearest"}).text
    first = page.index("Garden table, green", page.index("by content"))
    assert first < page.index("by behaviour")


def test_the_query_names_any_item_in_one_word_of_the_shell(client: TestClient) -> None:
    for item in ("' OR 1=1 --", "a?b=c&d#e", "</textarea></script>"):
        answer = client.get(PAGE, params={"id": item, "view": "query"})
        code = Elements(answer.text).text
        curl = shlex.split(code[code.index("curl -H") :].splitlines()[0])
        assert unquote(urlsplit(curl[3]).path) == f"/v1/acme/items/{item}/related"
        assert f"related.get({item!r}, " in code


def test_an_unknown_view_is_not_there(client: TestClient) -> None:
    assert client.get(PAGE, params={"id": "a/b", "view": "x"}).status_code == 404
