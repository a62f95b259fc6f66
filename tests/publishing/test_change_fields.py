"""What a change may hold, and the laws of laying changes over each other."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import DataError
from recommender.publishing.change_fields import (
    AHEAD_MS,
    checked_change,
    encode_change,
    is_available,
    laid_over,
    next_bound,
    readable_change,
)
from recommender.serving.records import shown_record

NOW_MS = 1_800_000_000_000


def checked(**given: object) -> dict[str, Any]:
    return dict(checked_change({"id": "a"} | given, NOW_MS).fields)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"price": "9.99"}, {"price": 9.99, "price_minor": None}),
        ({"price_minor": 999}, {"price_minor": 999, "price": None}),
        ({"stock": "12", "in_stock": "No"}, {"stock": 12, "in_stock": False}),
        ({"stock": {"berlin": 1, "bonn": "2"}}, {"stock": {"berlin": 1, "bonn": 2}}),
        ({"available_from": "2027-01-01"}, {"available_from": 1_798_761_600}),
        ({"available_from": "2027-01-01T00:00:00+01:00"}, {"available_from": 1_798_758_000}),
        ({"available_until": 1_798_761_600_000}, {"available_until": 1_798_761_600}),
        ({"margin": 0.2, "new": True, "brand": "7", "x": None}, None),
    ],
)
def test_fields_are_read(given: dict[str, object], fields: dict[str, object] | None) -> None:
    assert checked(**given) == (given if fields is None else fields)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["a"], "give a JSON object"),
        ({}, "id None: not text"),
        ({"id": 7, "stock": 1}, "id 7: not text but int"),
        ({"id": "a"}, "item 'a': 0 fields: give 1 to 50"),
        ({"id": "a", **{f"x{n}": 1 for n in range(51)}}, "51 fields"),
        ({"id": "a", "price": "cheap"}, "price = 'cheap': give a number"),
        ({"id": "a", "price": -1}, "price = -1: give 0 or more"),
        ({"id": "a", "price": float("nan")}, "give a number"),
        ({"id": "a", "price": 10**400}, "give a number"),
        ({"id": "a", "price_minor": 9.5}, "give whole minor units"),
        ({"id": "a", "price": 1, "price_minor": 100}, "give one of them"),
        ({"id": "a", "stock": True}, "stock = True: give a number"),
        ({"id": "a", "stock": {"": 1}}, "name stores"),
        ({"id": "a", "stock": {"b": []}}, "stock.b"),
        ({"id": "a", "in_stock": "perhaps"}, "give true or false"),
        ({"id": "a", "deleted": 1}, "give true or false"),
        ({"id": "a", "available_from": "soon"}, "give ISO 8601"),
        ({"id": "a", "brand": 7}, "brand = 7: give a text"),
        ({"id": "a", "x": "y" * 1001}, "1,001 characters"),
        ({"id": "a", "x": []}, "give a text, a number, true, false or null"),
        ({"id": "a", "x\n": 1}, "printable"),
        ({"id": "a", "score": 1}, "reserved"),
        ({"id": "a", "x": "\ud800"}, "surrogates"),
        ({"id": "a", **{f"x{n}": "y" * 999 for n in range(9)}}, "bytes: at most 8,192"),
        ({"id": "a", "x": 1, "version": -1}, "version = -1: give a whole number"),
        ({"id": "a", "x": 1, "version": 1.5}, "give a whole number"),
        ({"id": "a", "x": 1, "version": True}, "give a whole number"),
        ({"id": "a", "x": 1, "version": 1, "time": 1}, "give one of them"),
        ({"id": "a", "x": 1, "time": NOW_MS + AHEAD_MS + 1}, "more than a day ahead"),
    ],
)
def test_what_is_wrong_is_said(given: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        checked_change(given, NOW_MS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
names = st.sampled_from(
    ["id", "version", "time", "price", "stock", "deleted", "available_from", "brand", "x", "\0"]
)


@given(st.dictionaries(names, json_values) | json_values)
def test_any_json_is_a_change_or_one_error(value: object) -> None:
    try:
        change = checked_change(value, NOW_MS)
    except DataError:
        return
    stored = json.loads(encode_change(laid_over({}, change)))
    assert readable_change(stored)
    is_available(stored, 0.0)
    shown_record({"id": "a"}, stored)


FIELDS = st.dictionaries(
    st.sampled_from(["price", "stock", "in_stock", "x"]), st.none() | st.just("1"), min_size=1
)


@given(data=st.data(), changes=st.lists(FIELDS, min_size=1, max_size=6))
def test_each_field_has_the_value_of_its_highest_version(
    data: st.DataObject, changes: list[dict[str, object]]
) -> None:
    """Whatever the order in which changes arrive, and however often each of them does."""
    made = [
        checked_change({"id": "a", "version": version, **fields}, NOW_MS)
        for version, fields in enumerate(changes, 1)
    ]
    order = data.draw(st.permutations(made))
    again = data.draw(st.lists(st.sampled_from(made), max_size=4))
    stored: Any = {}
    for change in [*order, *again]:
        stored = laid_over(stored, change)
    in_order: Any = {}
    for change in made:
        in_order = laid_over(in_order, change)
    assert stored == in_order
    newest: dict[str, object] = {}
    for change in made:
        newest |= change.fields
    shown = {name: value for name, value in stored.items() if name not in ("version", "versions")}
    assert shown == {name: value for name, value in newest.items() if value is not None}
    assert laid_over(stored, made[-1]) is stored


def test_two_sources_have_versions_of_their_own() -> None:
    stored: Any = {}
    for fields in ({"version": NOW_MS, "price": 5}, {"version": 17, "stock": 3}):
        stored = laid_over(stored, checked_change({"id": "a"} | fields, NOW_MS))
    assert stored == {
        "price": 5,
        "stock": 3,
        "version": NOW_MS,
        "versions": {
            "stock": 17,
            "price_minor": NOW_MS,
        },
    }
    later = laid_over(stored, checked_change({"id": "a", "version": 18, "stock": 0}, NOW_MS))
    assert later["stock"] == 0


def test_of_changes_of_one_time_the_last_counts() -> None:
    first, second = (checked_change({"id": "a", "stock": n}, NOW_MS) for n in (1, 2))
    assert laid_over(laid_over({}, first), second)["stock"] == 2


def test_all_changes_of_an_item_together_have_a_bound() -> None:
    changes = [checked_change({"id": "a", f"x{number}": "y" * 900}, NOW_MS) for number in range(9)]
    stored: Mapping[str, Any] = {}
    for change in changes[:8]:
        stored = laid_over(stored, change)
    with pytest.raises(DataError, match=r"all changes together.*recommender items clear"):
        laid_over(stored, changes[8])


@pytest.mark.parametrize(
    ("fields", "available"),
    [
        ({}, True),
        ({"stock": 1}, True),
        ({"stock": 0}, False),
        ({"stock": {"a": 0, "b": 2}}, True),
        ({"stock": {"a": 0, "b": 0}}, False),
        ({"in_stock": False, "stock": 3}, False),
        ({"deleted": True}, False),
        ({"deleted": False}, True),
        ({"available_from": 101}, False),
        ({"available_from": 100, "available_until": 101}, True),
        ({"available_until": 100}, False),
    ],
)
def test_what_makes_an_item_unavailable(fields: dict[str, object], available: bool) -> None:
    assert is_available(fields, 100.0) is available


def test_the_next_bound() -> None:
    assert next_bound({"available_from": 5, "available_until": 9}, 4.0) == 5
    assert next_bound({"available_from": 5, "available_until": 9}, 5.0) == 9
    assert next_bound({"available_until": 9}, 9.0) is None


def test_a_price_is_shown_in_the_currency_of_the_record() -> None:
    record = {"id": "a", "price_minor": 1499, "currency": "JPY"}
    shown = shown_record(record, {"price": 5, "version": 1, "versions": {"price_minor": 1}})
    assert shown == {"id": "a", "price_minor": 5, "price": 5.0, "currency": "JPY"}
