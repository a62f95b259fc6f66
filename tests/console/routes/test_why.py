"""The page that explains a pair."""

from starlette.testclient import TestClient

from recommender.console.live_shop import LiveShop

WHY = "/console/acme/why"


def test_a_pair_is_explained_either_way(client: TestClient, shop: LiveShop) -> None:
    loaded = shop.seen().loaded
    assert loaded is not None
    ids = loaded.catalogue.ids.ids
    first = ids[int(loaded.placements["related"].lists.of(0).rows[0])]
    page = client.get(WHY, params={"id": ids[0], "other": first}).text
    assert "<strong>Yes:</strong> it is in the list, at rank 1." in page
    page = client.get(WHY, params={"id": ids[0], "other": ids[0]}).text
    assert "<strong>No:</strong> an item is never in its own list." in page


def test_the_other_item_is_asked_for(client: TestClient) -> None:
    page = client.get(WHY, params={"id": "a/b"}).text
    assert "Other item<" in page
    assert client.get(WHY, params={"id": "a/b", "other": "nobody"}).status_code == 404
    placement = {"id": "a/b", "placement": "nowhere"}
    assert client.get(WHY, params=placement).status_code == 404
