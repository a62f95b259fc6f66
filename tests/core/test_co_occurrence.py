import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.co_occurrence import LARGEST_UNIT, CoOccurrence, strongest, values_at
from recommender.core.neighbours import NONE, Neighbours
from tests.support.shops import interactions

EVERY = np.arange(5, dtype=np.int32)


def test_a_rate_is_the_weighted_share_of_an_items_units() -> None:
    counted = CoOccurrence.of(interactions([[0, 1], [0, 1], [0, 2, 3]], 5))
    rates = counted.rates(EVERY).toarray()
    large = 1 / np.sqrt(2)
    strength = np.array([2 + large, 2, large, large, 0])
    assert counted.strength == pytest.approx(strength)
    assert counted.prior == pytest.approx(0.1 * strength[:4].mean())
    assert rates[0, 1] == pytest.approx(2 / (strength[0] + counted.prior))
    assert rates[2, 3] == pytest.approx(large / (large + counted.prior))
    assert (np.diag(rates) == 0).all()
    assert not rates[4].any()


def test_old_units_count_less() -> None:
    events = interactions([[0, 1], [0, 2]], 3)
    days_apart = (events.time.max() - events.time.min() - 1) / 86_400
    counted = CoOccurrence.of(events, half_life_days=days_apart)
    rates = counted.rates(np.zeros(1, dtype=np.int32)).toarray()[0]
    assert rates[1] / rates[2] == pytest.approx(0.5 ** (2 / 86_400 / days_apart), rel=1e-3)


def test_an_item_without_events_borrows_what_its_kin_are_sold_with() -> None:
    counted = CoOccurrence.of(interactions([[0, 1], [0, 1], [0, 2], [2, 3]], 5))
    near = Neighbours(
        np.array([[1, NONE], [0, NONE], [0, NONE], [0, NONE], [0, NONE]], dtype=np.int32),
        np.array([[1, -np.inf]] * 5, dtype=np.float32),
    )
    borrowed = counted.borrowed(near, np.array([4], dtype=np.int32), 2).toarray()[0]
    assert borrowed == pytest.approx(counted.rates(EVERY[:1]).toarray()[0], abs=1e-6)


def test_an_item_without_kin_borrows_nothing() -> None:
    counted = CoOccurrence.of(interactions([[0, 1]], 3))
    near = Neighbours(np.full((3, 2), NONE, np.int32), np.full((3, 2), -np.inf, np.float32))
    assert not counted.borrowed(near, np.arange(3, dtype=np.int32), 2).nnz


@pytest.mark.fault(38)
def test_a_huge_unit_counts_as_a_sample_of_a_hundred() -> None:
    counted = CoOccurrence.of(interactions([list(range(300)), [0, 1]], 300))
    assert np.diff(counted.units.indptr).tolist() == [LARGEST_UNIT, 2]


def test_no_events_at_all() -> None:
    counted = CoOccurrence.of(interactions([], 4))
    assert not counted.rates(EVERY[:4]).nnz
    assert counted.prior > 0


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 12),
    density=st.floats(0, 1),
    levels=st.integers(1, 9),
)
def test_the_strongest_are_those_of_a_plain_sort(
    seed: int, k: int, density: float, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, levels + 1, (6, 10)) * (rng.random((6, 10)) < density)
    found = strongest(sp.csr_array(dense.astype(np.float32)), k)
    for row, values in zip(found, dense, strict=True):
        expected = [int(c) for c in np.lexsort((np.arange(10), -values)) if values[c] > 0][:k]
        assert row[row != NONE].tolist() == expected


@given(seed=st.integers(0, 10_000), density=st.floats(0, 1))
def test_values_are_those_of_the_dense_matrix(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    dense = (rng.random((5, 7)) * (rng.random((5, 7)) < density)).astype(np.float32)
    asking = rng.integers(0, 5, 30).astype(np.int32)
    columns = rng.integers(0, 7, 30).astype(np.int32)
    found = values_at(sp.csr_array(dense), asking, columns)
    assert (found == dense[asking, columns]).all()
