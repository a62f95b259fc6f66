"""Items with several categories share any of them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.catalogue import Catalogue
from recommender.core.labels import Labels, beginnings, category_paths
from tests.support.shops import catalogue

PATHS = ("Garden > Tools", "Garden > Pots", "Gifts > Under 20", "Sale")


def shop(*categories: str) -> Catalogue:
    """Items by the paths of each, its own first, one a line."""
    parted = [paths.partition("\n")[::2] for paths in categories]
    own, others = zip(*parted, strict=True)
    made = catalogue(len(categories))
    return dataclasses.replace(made, category=tuple(own), other_categories=tuple(others))


ITEMS = shop("Garden > Tools\nSale", "Garden > Pots\nGifts > Under 20", "Sale", "", "Kitchen")


@pytest.mark.parametrize(("level", "pairs"), [(0, {(0, 2)}), (1, {(0, 1), (0, 2)}), (2, {(0, 2)})])
def test_one_category_in_common_is_enough(level: int, pairs: set[tuple[int, int]]) -> None:
    labels = Labels.of_categories(ITEMS, level)
    rows = np.arange(len(ITEMS), dtype=np.int32)
    shared = labels.shared(rows[:, None], rows)
    found = {(int(a), int(b)) for a, b in zip(*np.nonzero(shared), strict=True) if a < b}
    assert found == pairs
    assert (shared == shared.T).all()
    assert shared.diagonal().tolist() == [True, True, True, False, True]


@given(st.lists(st.lists(st.sampled_from(PATHS), unique=True, max_size=3), min_size=1, max_size=8))
def test_sharing_and_members_follow_from_the_paths(paths: list[list[str]]) -> None:
    items = shop(*("\n".join(each) for each in paths))
    labels = Labels.of_categories(items)
    rows = np.arange(len(items), dtype=np.int32)
    expected = [[bool(set(a) & set(b)) for b in paths] for a in paths]
    assert labels.shared(rows[:, None], rows).tolist() == expected
    assert labels.shared(rows, rows[::-1]).tolist() == [e[~i] for i, e in enumerate(expected)]
    members, codes = labels.members()
    assert np.bincount(members, minlength=len(items)).tolist() == [len(each) for each in paths]
    assert (codes[np.searchsorted(members, [i for i, e in enumerate(paths) if e])] >= 0).all()
    assert [list(category_paths(items, row)) for row in range(len(items))] == paths


def test_without_several_categories_nothing_is_stored_of_them() -> None:
    items = shop("Garden > Tools", "", "Garden > Tools")
    labels = Labels.of_categories(items)
    assert labels.several is None
    assert not any("other" in name for name in items.columns())
    assert Catalogue.from_columns(items.columns()).other_categories == ("", "", "")
    assert Catalogue.from_columns(ITEMS.columns()).other_categories == ITEMS.other_categories


def test_beginnings_of_a_path() -> None:
    assert beginnings("A > B > C") == ["A", "A > B", "A > B > C"]
