import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from recommender.core.related import RelatedItem
from recommender.serving import codec
from recommender.serving.lookup import RelatedItems
from recommender.serving.sessions import Event, checked_session, summed
from recommender.serving.storefront import NO_STOREFRONT, Storefront
from tests.serving.storefronts import catalogue, publish, ranked

WEIGHED = Storefront(decay=0.5, kinds={"view": 1.0, "cart": 3.0, "purchase": 2.0, "scroll": 0.0})


class TestWeights:
    def test_plain_ids_weigh_as_they_did(self) -> None:
        session = checked_session(["a", "b", "a", "c"], None)
        assert session.weights(WEIGHED) == {"a": 1.0, "b": 1.0, "c": 1.0}
        session = checked_session(["a", "b", "a", "c"], 0.5)
        assert session.weights(WEIGHED) == {"a": 1.0, "b": 0.5, "c": 0.25}

    def test_the_last_event_weighs_most(self) -> None:
        session = checked_session([("a", "view", 60), ("b", "view", 5.0), ("c", "view", 30)], None)
        assert session.weights(WEIGHED) == {"b": 1.0, "c": 0.5, "a": 0.25}
        assert session.items == ["b", "c", "a"]
        assert checked_session([("a", "view"), ("b", "view")], None).weights(WEIGHED) == {
            "a": 1.0,
            "b": 0.5,
        }

    def test_events_of_one_age_are_one_moment(self) -> None:
        basket = [("a", "view", 9), ("b", "view", 9), ("c", "view", 20)]
        weights = checked_session(basket, None).weights(WEIGHED)
        assert weights == {"a": 1.0, "b": 1.0, "c": 0.5}

    def test_kinds_weigh_and_a_kind_without_weight_counts_one(self) -> None:
        events: list[Any] = [
            {"item": "a", "kind": "cart", "age": 8},
            Event("b", "wish", 8),
            ("c", "scroll", 8),
        ]
        assert checked_session(events, None).weights(WEIGHED) == {"a": 3.0, "b": 1.0}
        assert checked_session(events, None).weights(NO_STOREFRONT)["c"] == 1.0

    def test_an_item_weighs_what_its_best_event_does(self) -> None:
        events = [("a", "view", 1), ("b", "view", 2), ("a", "cart", 3), ("b", "view", 4)]
        assert checked_session(events, None).weights(WEIGHED) == {"a": 1.0, "b": 0.5}

    def test_events_without_an_age_are_new_beside_others_and_none_is_in_the_future(self) -> None:
        weights = checked_session([("a", "view", 9), "b", ("c", "view", -5)], None).weights(WEIGHED)
        assert weights == {"b": 1.0, "c": 1.0, "a": 0.5}

    def test_what_was_only_bought_may_be_shown_again_where_the_shop_says_so(self) -> None:
        events = [("a", "purchase"), ("b", "view"), ("c", "purchase"), ("c", "view")]
        session = checked_session(events, None)
        assert session.left_out(NO_STOREFRONT) == set("abc")
        assert session.left_out(Storefront(leave_out_bought=False)) == set("bc")


@pytest.mark.parametrize(
    "given_items",
    [
        "abc",
        {"item": "a"},
        3,
        [3],
        [("a", 3)],
        [("a", "view", "new")],
        [("a", "view", math.nan)],
        [("a", "view", True)],
        [("a", "view", 1, 2)],
        [()],
        [{"kind": "view"}],
        [{"item": "a", "when": 3}],
        [None],
    ],
)
def test_what_is_no_session_is_refused(given_items: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=r"item_ids|event|item_id"):
        checked_session(given_items, None)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["view", "cart"]))))
def test_laws_of_weights(events: list[tuple[str, str]]) -> None:
    """No item but those given, none above the kind's weight, and the first weighs its kind's."""
    weights = checked_session(events, None).weights(WEIGHED)
    assert set(weights) == {item for item, _ in events}
    assert all(0 < weight <= 3.0 for weight in weights.values())
    if events:
        assert weights[events[0][0]] >= WEIGHED.kinds[events[0][1]]


def test_sums_are_weighed() -> None:
    first = codec.decode_list(codec.encode_list("a", ["x", "y"], [0.5, 0.25], [0, 1]), "a")
    other = codec.decode_list(codec.encode_list("b", ["y"], [0.5], [2]), "b")
    assert summed([(first, 1.0), (other, 2.0)]) == (
        RelatedItem("y", 1.25, "both"),
        RelatedItem("x", 0.5, "text"),
    )
    assert summed([]) == ()


class TestLookup:
    @pytest.fixture
    def reader(self, store: Redis, shop: str, server_url: str) -> Iterator[RelatedItems]:
        lists = {"related": {"a": ranked("bxy"), "b": ranked("cyz"), "": ranked("apqx")}}
        sessions = {"decay": 0.5, "kinds": {"view": 1, "cart": 4}, "leave_out_bought": False}
        publish(store, shop, lists, catalogue("abcpqxyz"), {"sessions": sessions})
        with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as reader:
            assert reader.wait_ready()
            yield reader

    def test_events_weigh_by_what_the_shop_published(self, reader: RelatedItems) -> None:
        assert reader.for_items([("a", "view", 5), ("b", "view", 9)]).ids == ("y", "x", "c", "z")
        assert reader.for_items([("a", "view", 5), ("b", "cart", 9)]).ids == ("y", "c", "z", "x")
        assert reader.for_items(["a", "b"]).ids[0] == "y"

    def test_what_was_bought_is_left_out_unless_the_shop_says_otherwise(
        self, reader: RelatedItems
    ) -> None:
        assert "b" not in reader.for_items([("a", "view", 5), ("b", "cart", 9)]).ids
        assert "b" in reader.for_items([("a", "view", 5), ("b", "purchase", 9)]).ids

    def test_no_item_of_the_session_fills_a_list(self, reader: RelatedItems) -> None:
        answer = reader.for_items(["c", "b", "x", "y", "a"], where="title != null")
        assert answer.ids == ("z", "p", "q")
