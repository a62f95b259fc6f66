"""What bf16 makes of a number, and what may have been made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the extra text is not installed")

import torch

from recommender.vectors.index.bf16_bounds import at_least, group_peaks, highest, largest, lowest

NUMBERS = st.floats(-1e3, 1e3, width=32)


@given(st.lists(NUMBERS, min_size=1, max_size=50))
def test_a_number_lies_between_the_least_and_the_most_that_round_to_the_same(
    numbers: list[float],
) -> None:
    given = torch.tensor(numbers, dtype=torch.float32)
    rounded = given.bfloat16()
    assert (lowest(rounded) <= given).all()
    assert (given <= highest(rounded)).all()


@given(st.floats(2.0**-100, 1e3, width=32), st.booleans())
def test_the_bounds_are_half_a_step_away(number: float, negative: bool) -> None:
    rounded = torch.tensor([-number if negative else number]).bfloat16()
    for bound in (lowest(rounded), highest(rounded)):
        assert 0 < abs(float(bound - rounded.float())) <= 2.0**-8 * abs(float(rounded))


def test_an_empty_place_stays_below_everything() -> None:
    empty = torch.tensor([-torch.inf]).bfloat16()
    assert float(lowest(empty)) == -np.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_the_largest_of_each_row_and_the_least_of_them_first(dtype: torch.dtype, k: int) -> None:
    values = torch.randn((7, 40), generator=torch.Generator().manual_seed(0)).to(dtype)
    values[0] = -torch.inf
    values[1, 3:] = 2.0
    found = largest(values, k)
    expected = values.float().sort(dim=1, descending=True).values[:, :k]
    assert torch.equal(found.sort(dim=1, descending=True).values, expected)
    assert torch.equal(found[:, 0], expected[:, -1])


@given(NUMBERS, NUMBERS)
def test_what_is_at_least_a_bound_is_so_when_both_are_rounded(number: float, bound: float) -> None:
    low, high = torch.tensor(sorted([number, bound])).bfloat16()
    assert low <= high


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 8, 32]))
def test_all_that_is_at_least_the_bound_of_its_query_is_found(seed: int, group: int) -> None:
    rng = np.random.default_rng(seed)
    products = torch.from_numpy(rng.normal(size=(7, 64)).astype(np.float32)).bfloat16()
    least = torch.from_numpy(rng.normal(size=7).astype(np.float32)).bfloat16()
    grouped = products.view(7, group, 64 // group)
    query, place = at_least(grouped, group_peaks(grouped), least)
    found = set(zip(query.tolist(), place.tolist(), strict=True))
    wanted = (products >= least[:, None]).nonzero().tolist()
    assert found == {(row, column) for row, column in wanted}
