"""Filters by what an item is, and one variant of each product."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.recipe import Choice
from tests.support.candidate_blocks import N_ITEMS, Block, blocks_of_candidates, pairs


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


@given(block=blocks_of_candidates())
def test_one_per_group_keeps_the_best_variant_of_other_products(block: Block) -> None:
    group = block[2].catalogue.group
    for query, before, after in pairs(Choice("one-per-group"), block):
        seen = {group[query]} - {""}
        expected = []
        for row in before:
            if group[row] not in seen:
                expected.append(row)
            seen |= {group[row]} - {""}
        assert after == expected


@given(block=blocks_of_candidates())
def test_variants_collapse_to_the_best_selling_one(block: Block) -> None:
    items, events = block[2].catalogue, block[2].interactions
    sold = np.bincount(events.item, minlength=N_ITEMS)
    members: dict[str, list[int]] = {}
    for row, name in enumerate(items.group):
        members.setdefault(name or f"alone {row}", []).append(row)
    best = {min(rows, key=lambda row: (row % 5 == 0, -sold[row], row)) for rows in members.values()}
    choice = Choice("one-per-group", {"variant": "best-selling"})
    for query, before, after in pairs(choice, block):
        own = items.group[query]
        assert after == [
            row for row in before if row in best and not (own and items.group[row] == own)
        ]
