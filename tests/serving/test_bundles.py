import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from recommender.core.related import RelatedItem, RelatedList, Status
from recommender.publishing.hidden import Hidden
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.bundles import Bundle, Bundling
from recommender.serving.codec import View
from recommender.serving.fields_query import no_fields
from recommender.serving.item_fields import FieldsReading
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from recommender.serving.storefront import BundleTerms
from tests.serving.servers import until
from tests.serving.storefronts import catalogue, publish

LISTS = {
    "s": {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.01},
    "a": {"b": 0.2},
    "b": {"c": 0.3},
    "c": {"a": 0.1},
    "lone": {"a": 0.5},
    "apart": {"a": 0.5, "d": 0.5},
}
TERMS = {"min_score": 0.05, "discount": 0.1, "categories": {"Garden > Tools": 0.15}}


@pytest.fixture
def reader(store: Redis, shop: str, server_url: str) -> Iterator[RelatedItems]:
    items = catalogue(["s", "a", "b", "c", "d", "lone", "apart"])
    lists = {"related": {}, "bought_together": LISTS}
    publish(store, shop, lists, items, {"bundles": TERMS, "languages": ["de"], "language": "en"})
    with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as reader:
        assert reader.wait_ready()
        yield reader


def test_a_bundle_has_items_that_are_all_bought_together_at_one_price(
    reader: RelatedItems,
) -> None:
    bundle = reader.bundle("s")
    assert bundle.items == ("s", "a", "b", "c")
    assert (bundle.full_price_minor, bundle.discount, bundle.price_minor) == (4000, 0.15, 3400)
    assert bundle.score == pytest.approx(0.1, abs=1e-3)
    assert [record["id"] for record in bundle.records] == list(bundle.items)
    assert (bundle.placement, bundle.generation, bundle.reason) == ("bought_together", 1, "")
    assert dict(bundle.dropped) == {"score": 1}
    assert bundle.token
    two = reader.bundle("s", 2)
    assert two.items == ("s", "a", "b")
    assert reader.bundle("s", exclude=["b"]).items == ("s", "a", "c")


def test_a_bundle_is_read_in_three_round_trips(reader: RelatedItems, store: Redis) -> None:
    before = store.info("commandstats")["cmdstat_mget"]["calls"]
    reader.bundle("s")
    assert store.info("commandstats")["cmdstat_mget"]["calls"] - before <= 4  # and perhaps a poll


def test_titles_are_in_the_language_of_the_visitor(reader: RelatedItems) -> None:
    bundle = reader.bundle("s", 2, language="de-AT")
    assert [record["title"] for record in bundle.records] == ["Titel s", "Titel a", "Titel b"]
    assert bundle.language == "de"
    assert reader.bundle("s", 2).records[0]["title"] == "Title s"


@pytest.mark.parametrize(
    ("item", "change", "reason"),
    [
        ("nothing", {}, "bought_together: unknown item"),
        ("lone", {}, "1 of its items score 0.05"),
        ("apart", {}, "no 2 of its items score 0.05 with each other"),
        ("s", {"s": {"stock": 0}}, "the item itself: stock"),
        ("s", {"a": {"stock": 0}, "b": {"in_stock": False}}, "too few of its items can be sold"),
        ("s", {"a": {"currency": "USD"}, "b": {"price_minor": None}}, "too few of its items"),
    ],
)
def test_where_no_bundle_holds_the_answer_says_why(
    reader: RelatedItems,
    store: Redis,
    shop: str,
    item: str,
    change: Mapping[str, Mapping[str, Any]],
    reason: str,
) -> None:
    for changed, fields in change.items():
        store.set(Keys(shop).change(changed), json.dumps(fields))
    bundle = reader.bundle(item)
    assert (bundle.items, bundle.records) == ((), ())
    assert bundle.price_minor == 0
    assert reason in bundle.reason


def test_an_item_that_is_hidden_or_sold_out_is_in_no_bundle(
    reader: RelatedItems, store: Redis, shop: str
) -> None:
    Hidden(store, shop).mark(["b"], available=False)
    until(lambda: reader.bundle("s").items == ("s", "a", "c"))
    assert dict(reader.bundle("s").dropped) == {"score": 1}
    Hidden(store, shop).mark(["s"], available=False)
    until(lambda: reader.bundle("s").reason == "the item is hidden or not available")


def test_the_stock_of_the_store_counts(reader: RelatedItems, store: Redis, shop: str) -> None:
    store.set(Keys(shop).change("c"), json.dumps({"stock": {"berlin": 0, "bonn": 2}}))
    assert reader.bundle("s", store="bonn").items == ("s", "a", "b", "c")
    berlin = reader.bundle("s", store="berlin")
    assert berlin.items == ("s", "a", "b")
    assert berlin.dropped["stock"] == 1


def test_asyncio_answers_alike(reader: RelatedItems, shop: str, server_url: str) -> None:
    async def asked() -> Bundle:
        lookup = AsyncRelatedItems(server_url, shop, deadline_s=5.0)
        assert await lookup.wait_ready()
        bundle = await lookup.bundle("s", 9)
        await lookup.aclose()
        return bundle

    assert asyncio.run(asked()).items == reader.bundle("s").items


def test_without_redis_there_is_no_bundle_and_a_reason(shop: str) -> None:
    with closing(RelatedItems("unix:///nowhere.sock", shop)) as reader:
        bundle = reader.bundle("s")
    assert (bundle.items, bundle.reason) == ((), "bought_together: degraded")


@pytest.mark.parametrize("n", ["2", None, True, 2.0])
def test_n_is_a_whole_number(reader: RelatedItems, n: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="n: a whole number"):
        reader.bundle("s", n)


ITEMS = list("abcdefgh")
Scores = dict[tuple[str, str], float]


def test_best_sellers_that_fill_a_list_are_in_no_bundle() -> None:
    entries = [("c", "both"), ("d", "rule"), ("a", "popular"), ("b", "popular")]
    items = tuple(RelatedItem(item, 0.5, evidence) for item, evidence in entries)  # type: ignore[arg-type]
    bundling = Bundling(RelatedList("s", "p", 1, "ok", items), BundleTerms(), 2)
    assert [entry.id for entry in bundling.companions()] == ["c", "d"]
    reading = FieldsReading(no_fields(9), Keys("s"), {}, 100, lambda _: None)
    wanted = reading.want(View((1,), ()), "scd")
    record = b'{"id": "%s", "price_minor": 333, "stock": 1}'
    reading.take(wanted, [one for item in wanted for one in (record % item.encode(), None)])
    alike = RelatedList("c", "p", 1, "ok", (RelatedItem("d", 0.9, "popular"),))
    bundle = bundling.chosen([alike], reading)
    assert (bundle.items, dict(bundle.dropped)) == ((), {"score": 2})
    assert "with each other" in bundle.reason


@given(
    own=st.dictionaries(st.sampled_from(ITEMS), st.floats(0.01, 1), max_size=8),
    pairs=st.dictionaries(
        st.tuples(st.sampled_from(ITEMS), st.sampled_from(ITEMS)), st.floats(0.01, 1)
    ),
    stock=st.dictionaries(st.sampled_from(ITEMS), st.integers(0, 2)),
    most=st.sampled_from([2, 3]),
)
def test_laws_of_bundles(
    own: dict[str, float], pairs: Scores, stock: dict[str, int], most: int
) -> None:
    """Every pair scores enough, all are in stock, the price is the sum; else nothing fits."""
    least = 0.3

    def listed(item: str, scores: Mapping[str, float]) -> RelatedList:
        ordered = sorted(scores.items(), key=lambda one: -one[1])
        items = tuple(RelatedItem(other, score, "behaviour") for other, score in ordered)
        status: Status = "ok"
        return RelatedList(item, "bought_together", 1, status, items)

    bundling = Bundling(listed("s", own), BundleTerms(min_score=least), most)
    ids = [entry.id for entry in bundling.companions()]
    lists = [
        listed(item, {other: score for (one, other), score in pairs.items() if one == item})
        for item in ids
    ]
    reading = FieldsReading(no_fields(9), Keys("s"), {}, 100, lambda _: None)
    wanted = reading.want(View((1,), ()), ["s", *ids])
    records = [
        json.dumps({"id": item, "price_minor": 100, "stock": stock.get(item, item == "s")})
        for item in wanted
    ]
    reading.take(wanted, [part for one in records for part in (one.encode(), None)])
    bundle = bundling.chosen(lists, reading)

    def goes(one: str, other: str) -> bool:
        return max(pairs.get((one, other), 0), pairs.get((other, one), 0)) >= least

    able = [item for item in ids if stock.get(item, 0) > 0]
    possible = any(goes(one, other) for one, other in combinations(able, 2))
    assert bool(bundle.items) == possible
    assert bool(bundle.reason) != possible
    if bundle.items:
        companions = bundle.items[1:]
        assert bundle.items[0] == "s"
        assert 2 <= len(companions) <= most
        assert all(own[item] >= least and item in able for item in companions)
        assert all(goes(one, other) for one, other in combinations(companions, 2))
        assert bundle.price_minor == bundle.full_price_minor == 100 * len(bundle.items)
        assert bundle.score >= least


def test_companions_are_those_that_go_with_the_item_rather_than_with_each_other() -> None:
    own = [("case", 0.3), ("glass", 0.2), ("cup", 0.1), ("pot", 0.1), ("tea", 0.1)]
    items = tuple(RelatedItem(item, score, "both") for item, score in own)
    bundling = Bundling(RelatedList("phone", "p", 1, "ok", items), BundleTerms(), 3)
    pairs = {"case": {"glass": 0.06}, "cup": {"pot": 0.9, "tea": 0.9}, "pot": {"tea": 0.9}}
    lists = [
        RelatedList(
            one, "p", 1, "ok", tuple(RelatedItem(item, by, "both") for item, by in others.items())
        )
        for one, others in pairs.items()
    ]
    reading = FieldsReading(no_fields(9), Keys("s"), {}, 100, lambda _: None)
    wanted = reading.want(View((1,), ()), ["phone", *(item for item, _ in own)])
    record = b'{"id": "%s", "price_minor": 100, "stock": 1}'
    reading.take(wanted, [one for item in wanted for one in (record % item.encode(), None)])
    assert bundling.chosen(lists, reading).items == ("phone", "case", "glass")


def test_a_discount_is_rounded_to_the_minor_unit() -> None:
    bundling = Bundling(
        RelatedList("s", "p", 1, "ok", tuple(RelatedItem(one, 0.5, "both") for one in "ab")),
        BundleTerms(discount=0.1),
        2,
    )
    pair = RelatedList("a", "p", 1, "ok", (RelatedItem("b", 0.5, "both"),))
    reading = FieldsReading(no_fields(9), Keys("s"), {}, 100, lambda _: None)
    wanted = reading.want(View((1,), ()), "sab")
    record = b'{"id": "%s", "price_minor": 333, "stock": 1}'
    replies = [one for item in wanted for one in (record % item.encode(), None)]
    reading.take(wanted, replies)
    bundle = bundling.chosen([pair], reading)
    assert (bundle.full_price_minor, bundle.price_minor) == (999, 899)
