"""Screened search finds what all products in fp64 tell."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.vectors.index import two_pass_exact as screened
from recommender.vectors.index.exact import nonzero_rows
from recommender.vectors.index.two_pass_exact import (
    Screened,
    at_least,
    group_peaks,
    highest,
    largest,
    lowest,
)


def index_of(targets: np.ndarray) -> Screened:
    return Screened.of(targets, nonzero_rows(targets))


def near_ties(n: int, seed: int, spread: float) -> np.ndarray:
    """Vectors that differ by less than bf16 can tell, of lengths that differ a little."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 32))
    made = centres[rng.integers(0, 3, n)] + spread * rng.normal(size=(n, 32))
    return (made * rng.uniform(0.9, 1.1, (n, 1))).astype(np.float32)


MANY, FEW = 0, 256


@pytest.fixture(params=[MANY, FEW], ids=["screened in bf16", "screened in fp32"], autouse=True)
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many queries count as few: none, or all of these tests'."""
    monkeypatch.setattr(screened, "FEW", request.param)
    monkeypatch.setattr(screened, "TARGETS", 96)  # so that several chunks pass
    return int(request.param)


@given(
    n=st.integers(1, 400),
    k=st.integers(1, 40),
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([0.0, 1e-4, 1e-2, 1.0]),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_of_the_true_nearest_is_left_out(n: int, k: int, seed: int, spread: float) -> None:
    targets = near_ties(n, seed, spread)
    queries = near_ties(7, seed + 1, spread) - near_ties(7, seed + 2, 1.0)
    found = index_of(targets).search(queries, k)
    true = queries.astype(np.float64) @ targets.astype(np.float64).T
    k = min(k, n)
    wanted = -np.sort(-true, axis=1)[:, :k]
    told = np.take_along_axis(true, found.rows, axis=1)
    assert told == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    assert all(len(set(row)) == k for row in found.rows.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_is_found_where_rounding_takes_more_than_products_differ_by(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = rng.uniform(1, 2, 960)
    targets = np.stack([one, one - rng.uniform(0, 3e-3, 960)], axis=1).astype(np.float32)
    queries = np.tile(np.array([1, -1], dtype=np.float32), (7, 1))
    true = queries.astype(np.float64) @ targets.astype(np.float64).T
    found = index_of(targets).search(queries, 5)
    assert (found.rows == np.argsort(-true, axis=1)[:, :5]).all()


@pytest.fixture
def targets() -> np.ndarray:
    made = near_ties(3000, 1, 0.01)
    made[::11] = 0
    made[500:540] = made[499]
    return made


def test_neither_blocks_nor_chunks_nor_threads_change_a_byte(
    targets: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    whole = index_of(targets).search(targets[:200], 30)
    monkeypatch.setattr(screened, "QUERIES", 17)
    monkeypatch.setattr(screened, "TARGETS", 96)
    monkeypatch.setattr(screened, "NUMBERS_AT_ONCE", 5 * len(targets))
    torch.set_num_threads(3)
    parts = index_of(targets).search(targets[:200], 30)
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)
    assert parts.rows.tobytes() == whole.rows.tobytes()
    assert parts.scores.tobytes() == whole.scores.tobytes()


def test_a_block_with_too_many_candidates_is_halved(
    targets: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = index_of(targets).search(targets[:64], 30)
    monkeypatch.setattr(screened, "PAIRS", 500)
    halved = index_of(targets).search(targets[:64], 30)
    assert halved.rows.tobytes() == whole.rows.tobytes()


def test_most_targets_are_left_out_by_the_screen() -> None:
    rng = np.random.default_rng(5)
    targets = rng.normal(size=(20_000, 64)).astype(np.float32)
    candidates = index_of(targets)._screen(targets[:50], 10)
    assert candidates is not None
    assert len(candidates[0]) < 50 * 60


def test_few_queries_find_the_bytes_that_many_find(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    centre = rng.normal(size=256)
    targets = (centre + 1e-6 * rng.normal(size=(3000, 256))).astype(np.float32)
    queries = (centre + rng.normal(size=(50, 256))).astype(np.float32)
    found = {}
    for count in (MANY, FEW):
        monkeypatch.setattr(screened, "FEW", count)
        found[count] = index_of(targets).search(queries, 30)
    assert found[MANY].rows.tobytes() == found[FEW].rows.tobytes()
    assert found[MANY].scores.tobytes() == found[FEW].scores.tobytes()


def test_few_queries_need_no_rounded_targets(targets: np.ndarray, few: int) -> None:
    index = Screened(targets, nonzero_rows(targets), lambda: pytest.fail("targets are rounded"))
    if few == FEW:
        assert index.search(targets[:3], 5).rows.shape == (3, 5)
    else:
        with pytest.raises(pytest.fail.Exception):
            index.search(targets[:3], 5)


pytest.importorskip("torch", reason="the extra text is not installed")


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
