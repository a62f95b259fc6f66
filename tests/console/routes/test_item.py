"""The page of an item."""

from starlette.testclient import TestClient

from recommender.console.live_shop import LiveShop


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
    from recommender.publishing.hidden import Hidden

    with shop.connection() as store:
        hidden = Hidden(store, shop.name)
        hidden.hide(["plain-2"])
        assert shop.wait(lambda seen: "plain-2" in seen.hidden, 10)
        assert "Hidden</span>" in client.get("/console/acme/item?id=plain-2").text
        hidden.unhide(["plain-2"])
    assert shop.wait(lambda seen: "plain-2" not in seen.hidden, 10)
