"""The route of search, and what follows the live generation behind it."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from fastapi.testclient import TestClient

from recommender.cli.main import run
from recommender.cli.session import store_url
from recommender.errors import ArtifactError
from recommender.insights.search import Filters, Hit, Searcher
from recommender.service.app import create_app
from recommender.service.keys import new_key
from recommender.service.live_search import LiveSearch, live_search
from recommender.service.models import MAX_QUERY, RequestRefused, SearchRequest
from recommender.settings.loading import load
from tests.service.fakes import FakeLookup
from tests.serving.servers import until
from tests.support.shop_files import orders, write_shop

PATH = "/v1/acme/search"


class FakeSearcher:
    """Finds what was asked, in the generation that it was loaded for."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.asked: list[tuple[str, int, Filters]] = []

    def find(self, query: str, n: int, filters: Filters) -> list[Hit]:
        self.asked.append((query, n, filters))
        return [Hit("ü<1>", query, 0.5, "both")]


class Shop:
    """What is live, and what could be loaded of it."""

    def __init__(self) -> None:
        self.live, self.hidden = 1, frozenset({"h"})
        self.broken: set[int] = set()
        self.loaded: list[FakeSearcher] = []
        self.tried: list[int] = []

    def look(self) -> tuple[int, frozenset[str]]:
        return self.live, self.hidden

    def load(self, number: int) -> Searcher:
        self.tried.append(number)
        if number in self.broken:
            raise ArtifactError("the vectors are gone; run reindex")
        self.loaded.append(FakeSearcher(number))
        return cast("Searcher", self.loaded[-1])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def client(shop: Shop) -> Iterator[TestClient]:
    search = LiveSearch("acme", shop.look, shop.load, poll_s=0.01)
    app = create_app({"acme": FakeLookup(), "other": FakeLookup()}, searches={"acme": search})
    with TestClient(app) as client:
        yield client


def generation(client: TestClient) -> object:
    answer = client.get(PATH, params={"q": "lamp"})
    return answer.json().get("generation", answer.status_code)


def test_hits_are_json(client: TestClient, shop: Shop) -> None:
    until(lambda: generation(client) == 1)
    query = "red lamp"
    answer = client.get(
        PATH,
        params={"q": query, "n": 3, "category": "A > B", "in_stock": "true", "price_max": "9.5"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=10"
    assert answer.json() == {
        "query": query,
        "generation": 1,
        "items": [{"id": "ü<1>", "score": 0.5, "fit": "both", "title": query}],
    }
    assert shop.loaded[0].asked[-1] == (query, 3, Filters("A > B", True, 9.5, frozenset({"h"})))


@pytest.mark.parametrize(
    "query",
    [
        *("", "q=", "q=%20", f"q={'x' * (MAX_QUERY + 1)}", "q=a&n=many"),
        *("q=a&price_max=nan", "q=a&price_max=cheap", "q=a&in_stock=maybe"),
    ],
)
def test_a_malformed_request_is_refused_in_one_line(client: TestClient, query: str) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(("given", "n"), [("0", 1), ("-3", 1), ("9" * 99, 100)])
def test_absurd_numbers_are_clamped(client: TestClient, shop: Shop, given: str, n: int) -> None:
    until(lambda: generation(client) == 1)
    assert client.get(PATH, params={"q": "a", "n": given}).status_code == 200
    assert shop.loaded[0].asked[-1][1] == n


def test_a_shop_that_is_not_searched_is_not_found(client: TestClient) -> None:
    assert client.get("/v1/other/search", params={"q": "a"}).status_code == 404
    assert client.get("/v1/nobody/search", params={"q": "a"}).status_code == 404


def test_a_new_generation_is_followed(client: TestClient, shop: Shop) -> None:
    until(lambda: generation(client) == 1)
    shop.live = 2
    until(lambda: generation(client) == 2)
    assert shop.tried == [1, 2]


def test_what_cannot_be_loaded_leaves_the_old_one(client: TestClient, shop: Shop) -> None:
    until(lambda: generation(client) == 1)
    shop.broken.add(2)
    shop.live = 2
    until(lambda: 2 in shop.tried)
    assert generation(client) == 1
    shop.live = 3
    until(lambda: generation(client) == 3)
    assert shop.tried == [1, 2, 3]


def test_hidden_items_are_followed(client: TestClient, shop: Shop) -> None:
    until(lambda: generation(client) == 1)
    shop.hidden = frozenset({"x"})

    def seen() -> bool:
        generation(client)
        return shop.loaded[0].asked[-1][2].hidden == {"x"}

    until(seen)


def test_until_it_is_loaded_search_says_why(shop: Shop) -> None:
    shop.broken.add(1)
    search = LiveSearch("acme", shop.look, shop.load)

    async def asked() -> str:
        with pytest.raises(RequestRefused) as early:
            await search.find(SearchRequest(q="a"))
        follower = asyncio.create_task(search.run())
        while not shop.tried:
            await asyncio.sleep(0.01)
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        with pytest.raises(RequestRefused) as late:
            await search.find(SearchRequest(q="a", n=1))
        assert early.value.status == late.value.status == 503
        return f"{early.value} {late.value}"

    reasons = asyncio.run(asked())
    search.close()
    assert "being loaded" in reasons
    assert "vectors are gone" in reasons


def test_search_needs_a_key_where_the_service_does(shop: Shop) -> None:
    search = LiveSearch("acme", shop.look, shop.load)
    app = create_app({"acme": FakeLookup()}, [new_key("web", ["read"])[1]], {"acme": search})
    with TestClient(app) as client:
        assert client.get(PATH, params={"q": "a"}).status_code == 401


def test_the_documentation_knows_the_route(client: TestClient) -> None:
    parameters = client.get("/openapi.json").json()["paths"]["/v1/{shop}/search"]["get"]
    assert [one["name"] for one in parameters["parameters"]][:2] == ["shop", "q"]


@pytest.fixture(scope="module")
def kettles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of which one generation is live."""
    path = write_shop(
        tmp_path_factory.mktemp("shop"),
        orders(*[("c", "d")] * 2),
        catalogue="item_id,title\nc,Steel kettle\nd,Copper kettle\n",
    )
    assert run(["reindex", "--config", str(path)]) == 0
    return path


def test_the_service_follows_what_is_live(kettles: Path) -> None:
    settings = load(kettles)

    async def asked() -> list[str]:
        with store_url(settings) as url:
            search = live_search(settings, url)
            follower = asyncio.create_task(search.run())
            try:
                async with asyncio.timeout(30):
                    while True:
                        with suppress(RequestRefused):
                            found = await search.find(SearchRequest(q="copper kettle", n=1))
                            return [str(item.id) for item in found.items]
                        await asyncio.sleep(0.01)
            finally:
                follower.cancel()
                search.close()

    assert asyncio.run(asked()) == ["d"]
