"""Filters by similarity, in shops whose texts are as near as their item vectors."""

from hypothesis import given
from hypothesis import strategies as st

from recommender.core.arrays import unit_rows
from recommender.core.recipe import Choice
from tests.support.candidate_blocks import Block, blocks_of_candidates, pairs


@given(block=blocks_of_candidates(), cosine_max=st.sampled_from([0.0, 0.5, 0.9]))
def test_diverse_drops_just_what_is_near_to_an_entry_before(
    block: Block, cosine_max: float
) -> None:
    vectors = unit_rows(block[2].vectors.targets)
    near = vectors @ vectors.T > cosine_max
    for _, before, after in pairs(Choice("diverse", {"cosine_max": cosine_max}), block):
        expected: list[int] = []
        for row in before:
            if not near[row, expected].any():
                expected.append(row)
        assert after == expected


@given(block=blocks_of_candidates(), cosine_max=st.sampled_from([0.0, 0.5, 0.9]))
def test_not_alike_drops_just_what_is_near_to_the_asking_item(
    block: Block, cosine_max: float
) -> None:
    text = unit_rows(block[2].vectors.targets)
    for query, before, after in pairs(Choice("not-alike", {"cosine_max": cosine_max}), block):
        assert after == [row for row in before if text[query] @ text[row] <= cosine_max]
