"""Filters by what an item is."""

from hypothesis import given
from hypothesis import strategies as st

from recommender.core.recipe import Choice
from tests.support.candidate_blocks import Block, blocks_of_candidates, pairs


@given(block=blocks_of_candidates())
def test_in_stock_keeps_just_what_can_be_bought(block: Block) -> None:
    for _, before, after in pairs(Choice("in-stock"), block):
        assert after == [row for row in before if row % 5]


@given(block=blocks_of_candidates(), least=st.integers(0, 3))
def test_minimum_support_counts_baskets(block: Block, least: int) -> None:
    events = block[2].interactions
    for _, before, after in pairs(Choice("minimum-support", {"least": least}), block):
        baskets = {row: len(set(events.basket[events.item == row].tolist())) for row in before}
        assert after == [row for row in before if baskets[row] >= least]
