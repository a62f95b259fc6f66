import asyncio
import json
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from redis import Redis

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.related import RelatedList
from recommender.publishing.hidden import Hidden
from recommender.publishing.records import Records
from recommender.serving import codec
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.codec import Pointer, View
from recommender.serving.fields_query import checked_fields
from recommender.serving.item_fields import FieldsReading
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.serving.servers import until

PRICES = {"a": 10.0, "b": 8.0, "c": 14.99, "d": 40.0, "e": 12.0, "p": 9.0, "q": 90.0}
BRANDS = {"a": "Acme", "b": "Acme", "c": "Best", "d": "Best", "e": "Cosy", "p": "Best", "q": "Cosy"}
LISTS = {"a": "bcde", "d": "bcp", "": "pqb"}


def catalogue() -> Catalogue:
    ids = tuple(PRICES)
    return Catalogue(
        ids=ItemIds(ids),
        title=tuple(f"Title {item}" for item in ids),
        description=("",) * len(ids),
        brand=tuple(BRANDS.values()),
        category=("Garden > Tools",) * len(ids),
        group=("",) * len(ids),
        price=np.array(list(PRICES.values()), dtype=np.float32),
        in_stock=np.array([item != "e" for item in ids]),
        available_from=np.zeros(len(ids), dtype=np.int64),
        attributes={
            "url": tuple(f"https://shop.test/{item}" for item in ids),
            "currency": ("EUR",) * len(ids),
        },
    )


@pytest.fixture
def published(store: Redis, shop: str) -> Keys:
    keys = Keys(shop)
    for item, others in LISTS.items():
        letters = [codec.LETTERS.index("p" if item == "" else "b")] * len(others)
        scores = [0.75 - rank / 64 for rank in range(len(others))]
        value = codec.encode_list(item, others, scores, letters)
        store.set(keys.related_list(1, "related", item), value)
    rows = np.arange(len(PRICES), dtype=np.int32)
    for name, record in Records(catalogue()).encoded(rows):
        store.set(keys.prefix(1) + name, record)
    store.set(keys.live, codec.encode_pointer(Pointer(1, View((1,), ("related",)))))
    return keys


@pytest.fixture
def reader(published: Keys, server_url: str) -> Iterator[RelatedItems]:
    with closing(RelatedItems(server_url, published.shop, deadline_s=5.0)) as reader:
        assert reader.wait_ready()
        yield reader


def test_records_stand_beside_the_items(reader: RelatedItems) -> None:
    answer = reader.get("a", n=2, records=True)
    assert answer.ids == ("b", "c")
    assert answer.records[1] == {
        "id": "c",
        "title": "Title c",
        "brand": "Best",
        "category": "Garden > Tools",
        "top_category": "Garden",
        "url": "https://shop.test/c",
        "price_minor": 1499,
        "currency": "EUR",
        "price": 14.99,
        "in_stock": True,
        "stock": 1,
    }
    assert reader.get("a", n=2).records == ()


def test_a_condition_holds_for_every_entry_and_says_what_it_dropped(reader: RelatedItems) -> None:
    where = "price <= 1.5 * seed.price and brand != seed.brand and stock > 0"
    answer = reader.get("a", where=where)
    assert answer.ids == ("c", "p")
    assert dict(answer.dropped) == {
        "brand != seed.brand": 1,
        "price <= 1.5 * seed.price": 1,
        "stock > 0": 1,
    }
    assert answer.status == "topped_up"
    assert answer.items[1].evidence == "popular"
    assert reader.get("a", n=1, where=where).ids == ("c",)
    assert reader.get("a", n=1, where=where).status == "ok"


def test_what_is_not_available_fills_no_list(
    reader: RelatedItems, store: Redis, published: Keys
) -> None:
    where = "brand == 'Best' and price < 20"
    assert reader.get("a", where=where).ids == ("c", "p")
    Hidden(store, published.shop).mark(["p"], available=False)
    until(lambda: reader.get("a", where=where).ids == ("c",))


def test_a_boost_weighs_between_half_and_twice(reader: RelatedItems) -> None:
    answer = reader.get("a", boost="price")
    assert answer.ids == ("d", "c", "e", "b")
    assert answer.items[0].score == 1.0
    assert reader.get("a", boost="missing").ids == ("b", "c", "d", "e")


def test_the_score_of_an_entry_is_a_field(reader: RelatedItems) -> None:
    assert reader.get("a", where="score > 0.73").ids[:2] == ("b", "c")


def test_lists_of_several_items_are_filtered_too(reader: RelatedItems) -> None:
    where = "brand == 'Best' and price < 20"
    assert [one.ids for one in reader.get_many(["a", "d"], where=where)] == [("c", "p"), ("c", "p")]
    distinct = reader.get_many(["a", "d"], where=where, distinct=True)
    assert [one.ids for one in distinct] == [("c", "p"), ()]
    merged = reader.for_items(["a", "d"], where="brand != seed.brand", records=True)
    assert merged.ids == ("c", "p", "e", "q")
    assert [record["brand"] for record in merged.records] == ["Best", "Best", "Cosy", "Cosy"]


def test_asyncio_answers_alike(published: Keys, server_url: str) -> None:
    async def asked() -> list[RelatedList]:
        lookup = AsyncRelatedItems(server_url, published.shop, deadline_s=5.0)
        assert await lookup.wait_ready()
        answers = [
            await lookup.get("a", where="price < 15", records=True),
            *await lookup.get_many(["a"], where="price < 15"),
            await lookup.for_items(["a"], boost="price"),
        ]
        await lookup.aclose()
        return answers

    single, many, merged = asyncio.run(asked())
    assert single.ids == many.ids == ("b", "c", "e", "p")
    assert [record["id"] for record in single.records] == list(single.ids)
    assert merged.ids[0] == "d"


def test_what_changed_since_the_build_lies_over_the_record(
    reader: RelatedItems, store: Redis, published: Keys
) -> None:
    change = {"price_minor": 500, "stock": {"berlin": 0, "bonn": 2}, "version": 7}
    store.set(published.change("b"), json.dumps(change))
    (record,) = reader.get("a", n=1, records=True).records
    assert (record["price"], record["stock"], record["in_stock"]) == (5.0, 2, True)
    assert "version" not in record
    assert reader.get("a", where="stock > 0", store="berlin").ids[0] == "c"
    assert reader.get("a", where="stock > 0", store="bonn").ids[0] == "b"


def test_records_are_read_once_a_second(reader: RelatedItems, store: Redis) -> None:
    reader.get("a", records=True)
    store.config_resetstat()
    for _ in range(20):
        reader.get("a", records=True)
    assert store.info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"] < 20


def test_an_answer_is_made_anew_when_an_item_is_hidden(
    reader: RelatedItems, store: Redis, published: Keys
) -> None:
    first, again = (reader.get("a", where="price < 15") for _ in range(2))
    assert (first.items, first.token) != (again.items, again.token)
    assert first.items == again.items
    store.zadd(published.hidden, {"+b": 5})
    store.set(published.hidden_version, 5)
    until(lambda: reader.get("a", where="price < 15").ids[0] == "c")


def test_a_malformed_record_costs_the_record_and_not_the_page(
    reader: RelatedItems, store: Redis, published: Keys
) -> None:
    store.set(published.record(1, "b"), b"{not json")
    store.set(published.record(1, "c"), b'{"id": "d"}')
    answer = reader.get("a", records=True)
    assert answer.ids == ("b", "c", "d", "e")
    assert answer.records[:2] == ({}, {})
    assert answer.records[2]["title"] == "Title d"
    assert len(answer.records) == 4
    assert reader.stats()["record_unreadable"] == 2


def test_without_redis_a_condition_is_not_guessed(published: Keys) -> None:
    with closing(RelatedItems("unix:///nowhere.sock", published.shop)) as reader:
        answer = reader.get("a", where="price < 1", records=True)
    assert (answer.ids, answer.status) == ((), "degraded")


def test_a_page_has_lists_of_several_placements(
    reader: RelatedItems, store: Redis, published: Keys
) -> None:
    other = codec.encode_list("a", ["d", "q", "b"], [0.9, 0.8, 0.7], [1, 1, 1])
    store.set(published.related_list(1, "together", "a"), other)
    pointer = Pointer(2, View((1,), ("related", "together")))
    store.set(published.live, codec.encode_pointer(pointer))
    until(lambda: reader.get("a", "together").status == "ok")
    lists = reader.page("a", ["together", "related", "nothing"], n=2, records=True)
    assert [one.placement for one in lists] == ["together", "related", "nothing"]
    assert [one.ids for one in lists] == [("d", "q"), ("b", "c"), ("p",)]
    assert [record["id"] for record in lists[1].records] == ["b", "c"]
    filtered = reader.page("a", ["together", "related"], n=2, where="price < 20")
    assert [one.ids for one in filtered] == [("b", "p"), ("c", "e")]
    assert reader.page("a", []) == []
    with pytest.raises(TypeError, match="placements: a collection"):
        reader.page("a", "related")


def test_the_lists_of_a_page_are_read_by_one_command(
    published: Keys, store: Redis, server_url: str
) -> None:
    placements = [f"p{number}" for number in range(6)]
    pointer = Pointer(2, View((1,), tuple(placements)))
    store.set(published.live, codec.encode_pointer(pointer))
    with closing(RelatedItems(server_url, published.shop, deadline_s=5.0)) as fresh:
        assert fresh.wait_ready()
        assert fresh.stats().get("reads", 0) == 0
        before = store.info("commandstats")["cmdstat_mget"]["calls"]
        fresh.page("a", placements)
        calls = store.info("commandstats")["cmdstat_mget"]["calls"] - before
        assert calls < len(placements)


def test_a_full_cache_takes_no_fields_from_the_answer_that_fills_it() -> None:
    fields = checked_fields(3, {"records": True})
    assert fields is not None
    view, kept = View((1,), ("related",)), {}  # type: ignore[var-annotated]
    for item in "ab":
        reading = FieldsReading(fields, Keys("s"), kept, 1, lambda _: None)
        wanted = reading.want(view, "ab"[: "ab".index(item) + 1])
        assert wanted == [item]
        reading.take(wanted, [json.dumps({"id": item}).encode(), None])
    assert [reading.of(item) for item in "ab"] == [{"id": "a"}, {"id": "b"}]
