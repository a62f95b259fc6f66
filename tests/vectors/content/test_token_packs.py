"""Which texts go through a model together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.vectors.content.token_packs import PACK, QUERY_PACK, SMALL_PACK, packed

LENGTHS = st.lists(st.integers(1, 600) | st.just(2 * PACK + 1), max_size=200)


@given(LENGTHS)
def test_every_text_is_in_one_pack_that_holds_it(lengths: list[int]) -> None:
    given_lengths = np.array(lengths, dtype=np.int64)
    packs = list(packed(given_lengths))
    groups = [group for pack in packs for group in pack.groups]
    places = np.concatenate([np.zeros(0, dtype=np.int64), *(group.places for group in groups)])
    assert sorted(places.tolist()) == list(range(len(lengths)))
    assert all((given_lengths[group.places] == group.length).all() for group in groups)
    for pack in packs:
        used = sum(len(group.places) * group.length for group in pack.groups)
        assert 0 < used <= pack.size
        assert pack.n_texts == sum(len(group.places) for group in pack.groups)


@given(st.lists(st.integers(1, 500), max_size=300))
def test_three_sizes_do_for_usual_texts_and_little_is_filled_up(lengths: list[int]) -> None:
    packs = list(packed(np.array(lengths, dtype=np.int64)))
    assert {pack.size for pack in packs} <= {QUERY_PACK, SMALL_PACK, PACK}
    assert all(pack.size > QUERY_PACK for pack in packs[:-1])
    filled = sum(pack.size for pack in packs) - sum(lengths)
    longest = max(lengths, default=0)
    assert filled <= len(packs) * longest + PACK


def test_a_query_does_not_fill_a_large_pack() -> None:
    assert [pack.size for pack in packed(np.array([9]))] == [QUERY_PACK]
