from typing import Any

import pytest

from recommender.publishing.folded_changes import (
    FoldedField,
    FoldedItem,
    as_changes,
    decoded,
    encoded,
    joined,
    parted,
    still_live,
)

OLD, NEW = "catalogue 1", "catalogue 2"


def field(value: object, version: int = 1, since: str = OLD) -> FoldedField:
    return FoldedField(value, version, since)


def test_a_build_has_the_changes_of_the_one_before_and_those_that_are_live() -> None:
    before = {"a": {"price": field(1), "title": field("x")}, "b": {"price": field(2)}}
    live: dict[str, dict[str, Any]] = {
        "a": {"title": "y", "version": 2},
        "c": {"stock": 3, "version": 7},
    }
    found = joined(live, before, NEW)
    assert found == {
        "a": {"price": field(1), "title": field("y", 2, NEW)},
        "b": {"price": field(2)},
        "c": {"stock": field(3, 7, NEW)},
    }
    assert decoded(encoded(found)) == found


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"price": 1, "version": 5}, field(1, 5)),  # the same, so that its catalogue stays
        ({"price": 9, "version": 4}, field(1, 5)),  # arrived late
        ({"price": 9, "version": 5}, field(9, 5, NEW)),  # of the same millisecond
        ({"price_minor": 3, "version": 6, "versions": {"price": 6}}, None),
        ({"title": "x", "version": 9, "versions": {"price": 2}}, field(1, 5)),
    ],
)
def test_the_newest_version_of_a_field_counts(
    stored: dict[str, Any], expected: FoldedField | None
) -> None:
    found = joined({"a": stored}, {"a": {"price": field(1, 5)}}, NEW)
    assert found["a"].get("price") == expected


def test_another_catalogue_replaces_what_it_carries() -> None:
    fields = {"price": field(1), "margin": field(2), "title": field("x", 3, NEW)}
    found = parted(fields, NEW, {"price", "title"}.__contains__)
    assert (set(found.effective), set(found.obsolete)) == ({"margin", "title"}, {"price"})
    assert not parted(fields, OLD, {"price"}.__contains__).obsolete


@pytest.mark.parametrize(
    ("stored", "left"),
    [
        ({"price": 1, "version": 1}, {}),
        ({"price": 2, "version": 2}, {"price": 2, "version": 2}),  # changed since
        ({"price": 1, "x": 2, "version": 1}, {"x": 2, "version": 1}),
        ({"price": 1, "version": 0}, {}),  # arrived late
        ({"price": 1, "stock": 5, "version": 1}, {}),
        ({"stock": 0, "version": 2, "price": 1, "versions": {"price": 1}},
         {"stock": 0, "version": 2}),
        (
            {"price": 1, "stock": 5, "deleted": True, "version": 1},
            {"stock": 5, "deleted": True, "version": 1},
        ),
        (
            {"price": 1, "stock": 5, "available_until": 99, "version": 1},
            {"stock": 5, "available_until": 99, "version": 1},
        ),
        ({"x": 1, "version": 3, "versions": {"gone": 2, "price": 1}, "price": 1},
         {"x": 1, "version": 3, "versions": {"gone": 2}}),
    ],
)  # fmt: skip
def test_what_changed_since_and_what_withholds_an_item_stays_live(
    stored: dict[str, Any], left: dict[str, Any]
) -> None:
    effective = {
        name: field(value)
        for name, value in {"price": 1, "stock": 5, "deleted": True, "available_until": 99}.items()
    } | ({"stock": field(0, 2)} if stored.get("stock") == 0 else {})
    assert still_live(stored, FoldedItem(effective, {}), 50.0) == left


def test_a_newer_catalogue_ends_that_an_item_is_sold_out() -> None:
    stored = {"stock": 0, "price": 1, "version": 1}
    folded = FoldedItem({"price": field(1)}, {"stock": field(0)})
    assert still_live(stored, folded, 0.0) == {}


def test_what_was_folded_can_be_brought_back() -> None:
    folded = {"a": {"price": field(1, 7), "stock": field(2, 3), "title": field("x", 7)}}
    assert list(as_changes(folded)) == [
        {"id": "a", "version": 3, "stock": 2},
        {"id": "a", "version": 7, "price": 1, "title": "x"},
    ]
