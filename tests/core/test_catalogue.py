"""The catalogue: its columns, items that replace others, and codes of brands and categories."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.catalogue import Catalogue, brand_codes, category_codes, require_level
from recommender.core.ids import ItemIds
from recommender.errors import ConfigError, DataError
from tests.support.shops import catalogue

texts = st.text(max_size=8).filter(lambda text: "\ud800" not in text and text.isprintable())


def titled(ids: str, titles: list[str], **columns: Any) -> Catalogue:  # noqa: ANN401
    """Items whose ids are the letters of `ids`."""
    return dataclasses.replace(Catalogue.of_titles(ItemIds(tuple(ids)), titles), **columns)


@given(st.data(), st.integers(0, 6))
def test_columns_round_trip_exactly(data: st.DataObject, n_items: int) -> None:
    def column() -> tuple[str, ...]:
        return tuple(data.draw(st.lists(texts, min_size=n_items, max_size=n_items)))

    made = titled(
        "abcdef"[:n_items],
        list(column()),
        category=column(),
        group=column(),
        attributes={"colour": column(), "attribute.0": column()},
    )
    again = Catalogue.from_columns(made.columns())
    for field in dataclasses.fields(Catalogue):
        one, two = getattr(made, field.name), getattr(again, field.name)
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
        else:
            assert one == two


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"brand": ("a",)}, "catalogue column brand: 1 values, 3 items"),
        ({"price": np.ones(4, np.float32)}, "catalogue column price: 4 values, 3 items"),
        ({"attributes": {"size": ("S",)}}, "column attributes.size: 1 values, 3 items"),
    ],
)
def test_a_column_of_another_length_is_named(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataclasses.replace(catalogue(3), **columns)


def test_an_item_without_a_group_is_a_group_of_its_own() -> None:
    codes = catalogue(5, group=("", "a", "", "a", "b")).group_codes.tolist()
    assert codes[1] == codes[3]
    assert len(set(codes)) == 4


def test_an_overlay_replaces_items_in_their_place_and_adds_new_ones_behind() -> None:
    old = titled("abc", ["A", "B", "C"], attributes={"size": ("1", "2", "3")})
    new = titled("xb", ["X", "B2"], price=np.array([7, 8], dtype=np.float32))
    laid = old.overlaid(new)
    assert laid.ids.ids == ("a", "b", "c", "x")
    assert laid.title == ("A", "B2", "C", "X")
    assert laid.price[[1, 3]].tolist() == [8, 7]
    assert laid.attributes == {"size": ("1", "", "3", "")}


def test_codes_of_unknown_labels_are_none() -> None:
    paths = ("Garden > Hoses", "", "Garden", "Garden > Hoses > Reels", "Home")
    made = titled("abcde", [""] * 5, category=paths, brand=("x", "", "y", "x", ""))
    brands = brand_codes(made).tolist()
    assert (brands[0], brands[1], brands[4]) == (brands[3], -1, -1)
    assert brands[2] not in (brands[0], -1)
    for level, same in ((0, []), (1, [0, 2, 3]), (2, [0, 3]), (3, [])):
        codes = category_codes(made, level).tolist()
        assert codes[1] == -1
        assert len({codes[row] for row in same}) == bool(same)
        assert len(set(codes)) == 5 - max(0, len(same) - 1)


def test_a_level_below_the_whole_path_is_refused() -> None:
    require_level(0, "same-category")
    with pytest.raises(ConfigError, match="same-category: level = -1 is below 0"):
        require_level(-1, "same-category")
