"""What every filter owes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender import registry
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from tests.support.candidate_blocks import (
    N_ITEMS,
    Block,
    blocks_of_candidates,
    left,
    prepared_filter,
)

FILTERS = sorted(registry.FILTERS)
VARIANTS = [
    *(Choice(name) for name in FILTERS),
    Choice("one-per-group", {"variant": "best-selling"}),
    Choice("same-category", {"level": 1, "unknown": "keep"}),
    Choice("other-category", {"level": 1}),
    Choice("same-brand", {"unknown": "keep"}),
    Choice("price-band", {"low": 0.0, "high": 0.9, "unknown": "keep"}),
    Choice("minimum-support", {"least": 2}),
    Choice("at-most-per-brand", {"most": 1}),
    Choice("at-most-per-category", {"most": 2, "level": 1}),
    Choice("diverse", {"cosine_max": 0.3}),
    Choice("not-alike", {"cosine_max": 0.2, "by": "vectors"}),
]


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=25)
@given(block=blocks_of_candidates())
def test_result_is_a_subset_in_the_same_order(choice: Choice, block: Block) -> None:
    queries, candidates, shop = block
    kept = prepared_filter(choice, shop).keep(queries, candidates)
    assert kept.shape == candidates.rows.shape
    assert kept.dtype == bool
    assert not (kept & ~candidates.found).any()
    after = candidates.keep(kept, candidates.rows.shape[1])
    for before, rows, mask in zip(candidates.rows, after.rows, kept, strict=True):
        assert rows[rows != NONE].tolist() == before[mask].tolist()


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=25)
@given(block=blocks_of_candidates(), gone=st.sets(st.integers(0, N_ITEMS - 1)))
def test_each_part_of_what_stays_obeys_as_well(
    choice: Choice, block: Block, gone: set[int]
) -> None:
    """So entries may be hidden on read, and hubs be left out, and the rule still holds."""
    queries, _, shop = block
    kept = left(choice, block)
    width = kept.rows.shape[1]
    part = kept.keep(~np.isin(kept.rows, list(gone)), width)
    again = part.keep(prepared_filter(choice, shop).keep(queries, part), width)
    assert (again.rows == part.rows).all()


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=25)
@given(block=blocks_of_candidates(), width=st.integers(1, N_ITEMS))
def test_what_stands_behind_changes_nothing_before(
    choice: Choice, block: Block, width: int
) -> None:
    """So a deeper search only adds to a list."""
    queries, candidates, shop = block
    first = candidates.keep_first(min(width, candidates.rows.shape[1]))
    whole = prepared_filter(choice, shop).keep(queries, candidates)
    alone = prepared_filter(choice, shop).keep(queries, first)
    assert (whole[:, : first.rows.shape[1]] == alone).all()


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=15)
@given(block=blocks_of_candidates())
def test_one_row_is_judged_as_in_a_block(choice: Choice, block: Block) -> None:
    queries, candidates, shop = block
    ready = prepared_filter(choice, shop)
    whole = ready.keep(queries, candidates)
    last = Neighbours(candidates.rows[-1:], candidates.scores[-1:])
    assert (ready.keep(queries[-1:], last) == whole[-1:]).all()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("same-category", {"level": -1}),
        ("other-category", {"level": -1}),
        ("at-most-per-category", {"level": -1}),
        ("at-most-per-category", {"most": 0}),
        ("at-most-per-brand", {"most": 0}),
        ("price-band", {"low": 2.0, "high": 1.0}),
        ("price-band", {"low": -1.0}),
        ("minimum-support", {"least": -1}),
        ("diverse", {"cosine_max": 1.5}),
        ("not-alike", {"cosine_max": -0.1}),
        ("one-per-group", {"variant": "cheapest"}),
        ("same-brand", {"unknown": "maybe"}),
        ("one-way", {"dearer": 0.0}),
        ("one-way", {"leads_below": -1.0}),
    ],
)
def test_parameters_that_may_not_be(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.item_filter(Choice(name, parameters))
