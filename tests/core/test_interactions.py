"""Events as units by items, beside the same counted one by one."""

from collections import defaultdict

import numpy as np
import pytest

from recommender.core.interactions import Interactions


def drawn(weights: tuple[float, ...], seed: int) -> Interactions:
    """Events of some kinds, in baskets and without one, by users and by nobody."""
    rng = np.random.default_rng(seed)
    n = 200 * seed
    return Interactions(
        n_items=12,
        item=rng.integers(0, 12, n).astype(np.int32),
        basket=rng.integers(-1, 40, n).astype(np.int32),
        session=np.full(n, -1, dtype=np.int32),
        user=rng.integers(-1, 15, n).astype(np.int32),
        kind=rng.integers(0, len(weights), n).astype(np.int8),
        time=rng.integers(1, 1_000_000, n),
        kinds=tuple("abc"[: len(weights)]),
        weights=weights,
        users=np.arange(15, dtype=np.uint64),
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", [(1.0,), (2.0, 2.0), (1.0, 3.0, 0.0)])
def test_units_hold_the_largest_weight_and_the_newest_time(
    weights: tuple[float, ...], seed: int
) -> None:
    events = drawn(weights, seed)
    largest: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    newest: dict[int, int] = defaultdict(int)
    for unit, item, kind, time in zip(
        events.basket.tolist(),
        events.item.tolist(),
        events.kind.tolist(),
        events.time.tolist(),
        strict=True,
    ):
        if unit >= 0 and weights[kind] > 0:
            largest[unit][item] = max(largest[unit][item], weights[kind])
            newest[unit] = max(newest[unit], time)
    expected = np.zeros((len(largest), 12))
    for row, unit in enumerate(sorted(largest)):
        for item, weight in largest[unit].items():
            expected[row, item] = weight
    matrix = events.matrix()
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix.toarray(), expected)
    assert events.unit_times().tolist() == [newest[unit] for unit in sorted(newest)]
    assert len(events.owners()) == len(newest)
