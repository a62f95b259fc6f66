import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from recommender.core.related import RelatedItem, RelatedList
from recommender.serving.codec import View
from recommender.serving.exploration import Draw, explored
from recommender.serving.fields_query import no_fields
from recommender.serving.item_fields import LOWEST, FieldsReading
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from recommender.serving.queries import checked_query
from recommender.serving.state import ListRequest, PolledState
from recommender.serving.storefront import Storefront
from tests.serving.storefronts import catalogue, publish, ranked

ITEMS = [f"i{row}" for row in range(12)]
NEW = [f"new{row}" for row in range(8)]
VIEW = View((1,), ("related",))
SEED = {"top_category": "Garden"}


def answered(
    ids: list[str], share: float, *, key: str = "", hidden: list[str] | None = None
) -> tuple[RelatedList, ListRequest]:
    query = checked_query("related", 12, ("new7",), min_score=0.0, key=key)
    front = Storefront(explore={"related": share}, new_items={"Garden": (*NEW, "seed", *ids[:1])})
    state = PolledState(storefront=front, hidden=frozenset(hidden or ()))
    items = tuple(RelatedItem(item, 0.5, "behaviour") for item in ids)
    return RelatedList("seed", "related", 1, "ok", items), ListRequest(query, state, VIEW)


def made(answer: RelatedList, request: ListRequest) -> RelatedList:
    draw = Draw(answer, request, "seed")
    reading = FieldsReading(no_fields(12), Keys("s"), {}, 100, lambda _: None)
    return explored(draw, draw.candidates(SEED), reading, set(answer.ids))


@given(
    n=st.integers(0, 12),
    share=st.floats(0, 1),
    key=st.text(max_size=5),
    hidden=st.lists(st.sampled_from(NEW)),
)
def test_laws_of_exploration(n: int, share: float, key: str, hidden: list[str]) -> None:
    """A bounded share, never the first place, no item twice, neither hidden nor the seed."""
    answer, request = answered(ITEMS[:n], share, key=key, hidden=hidden)
    found = made(answer, request)
    taken = [place for place in range(n) if found.ids[place] != answer.ids[place]]
    assert len(found.ids) == n
    assert len(set(found.ids)) == n
    assert len(taken) <= min(-(-share * n // 1), max(n - 1, 0))
    assert 0 not in taken
    assert tuple(found.ids[place] for place in taken) == found.explored
    assert set(found.explored) <= set(NEW) - set(hidden) - {"new7", "seed"}
    assert all(found.items[place] == (found.ids[place], LOWEST, "rule") for place in taken)
    if share == 0:
        assert found is answer
    if key:
        assert made(answer, request).ids == found.ids


def test_about_the_share_of_the_positions_is_explored() -> None:
    answer, _ = answered(ITEMS, 0.2)
    counts = [len(made(*answered(ITEMS, 0.2, key=f"k{number}")).explored) for number in range(500)]
    assert 0.12 * len(answer.ids) <= sum(counts) / 500 <= 0.2 * len(answer.ids)
    assert max(counts) == 3


def test_lists_that_are_not_the_items_own_are_not_explored() -> None:
    answer, request = answered(ITEMS, 1.0)
    stale = RelatedList("seed", "related", 1, "stale", answer.items)
    assert made(stale, request) is stale
    request.query = request.query._replace(lowest=0.2)
    assert made(answer, request) is answer
    assert Draw(answer, request, "seed").candidates({"top_category": "Kitchen"}) == []


class TestLookup:
    @pytest.fixture
    def shares(self) -> dict[str, float]:
        return {"related": 1.0}

    @pytest.fixture
    def reader(
        self, store: Redis, shop: str, server_url: str, shares: dict[str, float]
    ) -> Iterator[RelatedItems]:
        lists = {"related": {"a": ranked("bcd"), "b": ranked("cd")}, "next": {"a": ranked("ef")}}
        front = {"explore": shares, "new_items": {"Garden": ["u", "v", "w", "x", "y"], "": ["z"]}}
        publish(store, shop, lists, catalogue("abcdefuvwxyz"), front)
        with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as reader:
            assert reader.wait_ready()
            yield reader

    def test_new_items_of_the_category_take_positions(self, reader: RelatedItems) -> None:
        answer = reader.get("a", key="visitor", records=True)
        assert answer.ids[0] == "b"
        assert answer.ids[1:] == answer.explored
        assert set(answer.explored) < set("uvwxy")
        assert [record["id"] for record in answer.records] == list(answer.ids)
        assert reader.get("a", key="visitor").ids == answer.ids
        assert {reader.get("a", key=f"k{number}").ids for number in range(20)} != {answer.ids}
        assert answer.status == "ok"

    def test_they_meet_the_same_condition(
        self, reader: RelatedItems, store: Redis, shop: str
    ) -> None:
        for item in "uvwx":
            store.set(Keys(shop).change(item), json.dumps({"stock": 0}))
        answer = reader.get("a", where="stock > 0", key="visitor")
        assert answer.explored == ("y",)
        assert len(answer.ids) == 3

    def test_every_call_explores_and_no_page_has_an_item_twice(self, reader: RelatedItems) -> None:
        page = reader.page("a", ["related", "next"], key="k")
        assert page[1].explored == ()
        assert page[1].ids == ("e", "f")
        many = reader.get_many(["a", "b"], distinct=True, key="k")
        shown = [item for one in many for item in one.ids]
        assert len(shown) == len(set(shown))
        assert all(one.explored for one in many[:1])
        session = reader.for_items(["a", "u", "v"], key="k")
        assert session.explored
        assert not set(session.explored) & set("auv")

    def test_the_seed_is_read_in_one_more_round_trip(
        self, reader: RelatedItems, store: Redis
    ) -> None:
        before = store.info("commandstats")["cmdstat_mget"]["calls"]
        reader.get("a", key="k")
        after = store.info("commandstats")["cmdstat_mget"]["calls"]
        assert after - before <= 3  # the list, the seed's record, and perhaps a poll

    @pytest.mark.parametrize("shares", [{}, {"related": 0.0, "next": 0.0}])
    def test_off_is_off(self, reader: RelatedItems, store: Redis) -> None:
        assert reader.get("a", key="k").ids == ("b", "c", "d")
        assert reader.get("a", key="k", records=True).explored == ()
        before = store.info("commandstats")["cmdstat_mget"]["calls"]
        reader.get("b", key="k")
        assert store.info("commandstats")["cmdstat_mget"]["calls"] - before <= 2
