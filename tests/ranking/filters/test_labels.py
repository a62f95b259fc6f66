"""Filters by brand and category."""

from hypothesis import given
from hypothesis import strategies as st

from recommender.core.catalogue import PATH_SEPARATOR
from recommender.core.recipe import Choice
from tests.support.candidate_blocks import Block, blocks_of_candidates, pairs


@given(block=blocks_of_candidates(), level=st.integers(0, 2))
def test_same_and_other_category_part_what_is_known(block: Block, level: int) -> None:
    def cut(row: int) -> str:
        parts = block[2].catalogue.category[row].split(PATH_SEPARATOR)
        return PATH_SEPARATOR.join(parts[:level] if level else parts)

    same = pairs(Choice("same-category", {"level": level}), block)
    lenient = pairs(Choice("same-category", {"level": level, "unknown": "keep"}), block)
    other = pairs(Choice("other-category", {"level": level}), block)
    for (query, before, after), (_, _, kept), (_, _, rest) in zip(
        same, lenient, other, strict=True
    ):
        shared = [row for row in before if cut(query) and cut(row) == cut(query)]
        assert after == shared
        assert kept == (shared if cut(query) else before)
        assert rest == [row for row in before if row not in shared]


@given(block=blocks_of_candidates())
def test_same_and_other_brand_part_what_is_known(block: Block) -> None:
    brand = block[2].catalogue.brand
    same, other = pairs(Choice("same-brand"), block), pairs(Choice("other-brand"), block)
    for (query, before, after), (_, _, rest) in zip(same, other, strict=True):
        shared = [row for row in before if brand[query] and brand[row] == brand[query]]
        assert after == shared
        assert rest == [row for row in before if row not in shared]


@given(block=blocks_of_candidates(), most=st.integers(1, 3))
def test_at_most_so_many_of_a_brand_and_no_fewer(block: Block, most: int) -> None:
    brand = block[2].catalogue.brand
    for _, before, after in pairs(Choice("at-most-per-brand", {"most": most}), block):
        for name in ("Acme", "Bolt"):
            named = [row for row in before if brand[row] == name]
            assert [row for row in after if brand[row] == name] == named[:most]
        assert [row for row in after if not brand[row]] == [row for row in before if not brand[row]]


@given(block=blocks_of_candidates(), most=st.integers(1, 3))
def test_at_most_so_many_of_a_top_category(block: Block, most: int) -> None:
    tops = [path.split(PATH_SEPARATOR)[0] for path in block[2].catalogue.category]
    choice = Choice("at-most-per-category", {"most": most, "level": 1})
    for _, before, after in pairs(choice, block):
        for name in ("Garden", "Home"):
            named = [row for row in before if tops[row] == name]
            assert [row for row in after if tops[row] == name] == named[:most]
