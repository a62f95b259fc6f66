"""What agents get to know of a shop."""

from contextlib import closing
from pathlib import Path

from recommender.agents.server import AgentServer
from recommender.agents.shop import AgentShop
from recommender.publishing.hidden import Hidden
from recommender.publishing.item_changes import ItemChanges
from recommender.serving.connection import open_store
from recommender.settings.loading import load
from recommender.settings.model import Settings
from tests.agents.asking import SEED, call, refused


def test_related_has_what_a_page_shows(agents: AgentServer) -> None:
    answer = call(agents, "related", items=SEED, n=3)
    assert (answer["status"], answer["degraded"], answer["generation"]) == ("ok", False, 1)
    assert len(answer["related"]) == 3
    for one in answer["related"]:
        assert {"id", "score", "reason", "title", "price", "in_stock"} <= one.keys()
        assert 0 < one["score"] <= 1
    several = call(agents, "related", items=[SEED, answer["related"][0]["id"]])
    assert answer["related"][0]["id"] not in [one["id"] for one in several["related"]]
    cheap = call(agents, "related", items=[SEED], where="price < 200")
    assert all(one["price"] < 200 for one in cheap["related"])
    assert sum(cheap["dropped"].values()) > 0


def test_hidden_and_sold_out_items_are_shown_nowhere(
    agents: AgentServer, settings: Settings, store: str
) -> None:
    first, second = [one["id"] for one in call(agents, "related", items=SEED)["related"][:2]]
    (record,) = call(agents, "items", items=first)["items"]
    with open_store(store) as connection:
        Hidden(connection, "acme").hide([first])
        ItemChanges(connection, "acme").update([{"id": second, "stock": 0}])
        try:
            hidden, sold = call(agents, "items", items=[first, second])["items"]
            assert (hidden["withheld"], sold["withheld"], sold["stock"]) == (True, True, 0)
            found = call(agents, "search", words=record["title"], n=50)["items"]
            assert first not in [one["id"] for one in found]
            # A lookup follows what is hidden within two seconds; a new one reads it first.
            with closing(AgentShop(settings, store)) as fresh:
                listed = call(AgentServer(fresh, settings), "related", items=SEED)["related"]
            assert not {first, second} & {one["id"] for one in listed}
        finally:
            Hidden(connection, "acme").unhide([first])
            ItemChanges(connection, "acme").clear([second])


def test_search_explain_items_and_health(agents: AgentServer) -> None:
    hits = call(agents, "search", words="smartphone", n=4)["items"]
    assert len(hits) == 4
    assert all("price" in hit for hit in hits)
    other = call(agents, "related", items=SEED)["related"][0]["id"]
    explained = call(agents, "explain", item=SEED, other=other)
    assert explained["in_list"]
    assert explained["verdict"].startswith("it is in the list, at rank 1")
    records = call(agents, "items", items=[SEED, "nothing"])
    assert records["unknown"] == ["nothing"]
    assert records["items"][0]["id"] == SEED
    health = call(agents, "health")
    assert (health["status"], health["generation"], health["degraded"]) == ("ok", 1, False)
    assert health["age_s"] >= 0


def test_a_store_that_is_off(small_shop: Path) -> None:
    settings = load(small_shop)
    with closing(AgentShop(settings, "redis://:S3CR3T@127.0.0.1:1/0")) as shop:
        off = AgentServer(shop, settings)
        assert call(off, "health")["degraded"]
        for tool, asked in (("related", {"items": SEED}), ("search", {"words": "x"})):
            said = refused(off, tool, **asked)
            assert "S3CR3T" not in said
            assert "store" in said or "127.0.0.1:1" in said
