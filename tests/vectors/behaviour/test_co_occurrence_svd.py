"""Weights of units, popularity of targets, histories."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recommender import registry
from recommender.core.co_occurrence import WeightedUnits
from recommender.core.interactions import DAY_S, Interactions
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.errors import ConfigError
from recommender.vectors.behaviour import co_occurrence_svd as module
from recommender.vectors.behaviour.co_occurrence_svd import CoOccurrenceSVD, right_vectors
from tests.support.shops import checkerboard, interactions

PLAIN = CoOccurrenceSVD(
    dimensions=8, half_life_days=0, size_power=0, shrinkage=0, popularity=0, iterations=8
)


def dated(baskets: list[list[int]], days: list[int], n_items: int) -> Interactions:
    events = interactions(baskets, n_items)
    sizes = [len(basket) for basket in baskets]
    times = 1_700_000_000 + DAY_S * np.repeat(days, sizes)
    return replace(events, time=times.astype(np.int64))


def test_plain_vectors_are_the_cosine_of_co_occurrence() -> None:
    baskets = [[0, 1], [0, 1, 2], [2, 3], [0, 3], [1, 2, 3], [0, 1]]
    seen = interactions(baskets, 4).matrix().toarray()
    counts = seen.T @ seen
    cosine = counts / np.sqrt(np.outer(counts.diagonal(), counts.diagonal()))
    rows = PLAIN.fit(interactions(baskets, 4), silent).matrix
    assert rows @ rows.T == pytest.approx(cosine, abs=1e-4)


def test_a_large_unit_says_less_and_an_old_one_half_per_half_life() -> None:
    events = dated([[0, 1], [0, 1, 2, 3, 4], [5, 6]], [60, 60, 0], 7)
    units = WeightedUnits.of(events, "basket", half_life_days=30, size_power=0.5)
    assert units.weight == pytest.approx([1, 0.5, 0.25])
    assert units.item_weight == pytest.approx([1.5, 1.5, 0.5, 0.5, 0.5, 0.25, 0.25])


def test_a_unit_of_unknown_time_is_as_old_as_the_average() -> None:
    events = dated([[0, 1], [0, 1], [0, 1]], [20, 0, 0], 2)
    time = events.time.copy()
    time[-2:] = 0
    units = WeightedUnits.of(replace(events, time=time), "basket", 10, 0)
    assert units.weight == pytest.approx([1, 0.25, 0.5])


def test_no_times_at_all_mean_no_decay() -> None:
    events = dated([[0, 1], [0, 1]], [0, 0], 2)
    without = replace(events, time=np.zeros(len(events), dtype=np.int64))
    assert WeightedUnits.of(without, "basket", 10, 0).weight.tolist() == [1, 1]


def test_single_items_are_no_evidence() -> None:
    units = WeightedUnits.of(interactions([[0], [1, 2], [0]], 3), "basket", 0, 0.5)
    assert units.seen.shape == (1, 3)
    fitted = CoOccurrenceSVD(dimensions=2).fit(interactions([[0], [1, 2], [0]], 3), silent)
    assert fitted.support.tolist() == [0, 1, 1]


def test_pair_mass_is_the_mean_number_of_others() -> None:
    units = WeightedUnits.of(interactions([[0, 1], [0, 1, 2, 3]], 4), "basket", 0, 0)
    assert units.pair_mass == pytest.approx((2 * 1 + 4 * 3) / 6)


def test_recent_baskets_decide_what_is_near() -> None:
    baskets = [[0, 1], [0, 1], [0, 1], [0, 2], [0, 2], [3, 1], [3, 2]]
    days = [0, 0, 0, 300, 300, 300, 300]
    events = dated(baskets, days, 4)
    timeless = replace(PLAIN, dimensions=4).fit(events, silent).matrix
    recent = replace(PLAIN, dimensions=4, half_life_days=30).fit(events, silent).matrix
    assert timeless[0] @ timeless[1] > timeless[0] @ timeless[2]
    assert recent[0] @ recent[2] > recent[0] @ recent[1]


def test_common_items_have_longer_targets() -> None:
    baskets = [[0, 1]] * 8 + [[2, 3]] * 4 + [[4, 5]]
    fitted = CoOccurrenceSVD(dimensions=6, popularity=0.5).fit(interactions(baskets, 7), silent)
    assert fitted.targets is not None
    lengths = np.linalg.norm(fitted.targets, axis=1)
    assert lengths[[0, 2, 6]] == pytest.approx([1, 0.5**0.5, 0], abs=1e-3)
    assert lengths[4] == pytest.approx(lengths[2], abs=1e-3)


def test_without_popularity_there_are_no_targets() -> None:
    assert PLAIN.fit(checkerboard(), silent).targets is None


def test_histories_join_what_baskets_do_not() -> None:
    baskets = [[0, 4], [1, 5], [0, 4], [1, 5], [2, 6], [3, 7]]
    events = replace(
        interactions(baskets, 8), user=np.repeat([0, 0, 1, 1, 2, 3], 2).astype(np.int32)
    )
    without = replace(PLAIN, histories=0).fit(events, silent).matrix
    having = replace(PLAIN, histories=1).fit(events, silent).matrix
    assert abs(without[0] @ without[1]) < 1e-4
    assert having[0] @ having[1] > 0.2


def test_histories_are_not_counted_twice_where_users_are_the_units() -> None:
    by_user = replace(PLAIN, unit="user", histories=1)
    alone = replace(PLAIN, unit="user", histories=0)
    events = checkerboard()
    assert by_user.fit(events, silent).matrix == pytest.approx(alone.fit(events, silent).matrix)


@pytest.mark.parametrize(
    "name", ["half_life_days", "size_power", "shrinkage", "popularity", "histories"]
)
def test_negative_parameters_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"co-occurrence-svd: {name} = -1"):
        registry.interaction_model(Choice("co-occurrence-svd", {name: -1.0}))


def sparse(rows: int, columns: int, rank: int, seed: int = 0) -> sp.csr_array:
    rng = np.random.default_rng(seed)
    one, other = rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))
    dense = ((one * 0.5 ** np.arange(rank)) @ other).astype(np.float32)
    return sp.csr_array(sp.coo_array(dense))


@pytest.mark.parametrize(("rows", "columns"), [(200, 40), (40, 200), (3, 5), (1, 1)])
def test_as_lapack_has_them(rows: int, columns: int) -> None:
    matrix = sparse(rows, columns, min(rows, columns, 8))
    told: list[int] = []
    singular, vectors = right_vectors(matrix, 6, 4, 3, 0, told.append)
    _, expected, right = np.linalg.svd(matrix.toarray(), full_matrices=False)
    r = min(6, rows, columns)
    assert singular == pytest.approx(expected[:r], rel=1e-4)
    assert np.abs(np.sum(vectors.T * right[:r], axis=1)) == pytest.approx(np.ones(r), abs=1e-4)
    assert vectors.T @ vectors == pytest.approx(np.eye(r), abs=1e-4)
    assert told == [1] * 4


def test_dimensions_that_a_matrix_does_not_have_are_left_out() -> None:
    singular, vectors = right_vectors(sparse(50, 30, rank=3), 10, 5, 3, 0, lambda _: None)
    assert vectors.shape == (30, len(singular))
    assert len(singular) == 3


def test_bytes_do_not_depend_on_threads_or_on_columns_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = sparse(300, 120, 40)
    made = []
    for threads, columns in ((1, 32), (2, 32), (2, 5)):
        monkeypatch.setattr(module, "COLUMNS", columns)
        with threadpool_limits(threads, user_api="blas"):
            made.append(right_vectors(matrix, 20, 10, 3, 0, lambda _: None)[1].tobytes())
    assert made[0] == made[1] == made[2]
