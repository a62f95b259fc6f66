"""Alternating least squares: what the wrapper adds to implicit's solver."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.core.interactions import Interactions
from recommender.core.telemetry import part_of, silent
from recommender.errors import ConfigError, DataError
from recommender.vectors.behaviour.als import AlternatingLeastSquares
from tests.support.shops import checkerboard, interactions


def test_each_iteration_advances_the_progress() -> None:
    done: list[int] = []
    AlternatingLeastSquares(dimensions=4, iterations=6).fit(checkerboard(), part_of(done.append))
    assert done == [1] * 6


def test_bm25_takes_weight_from_what_is_in_every_basket() -> None:
    """Item 0 is in all baskets, so it says little of what goes together."""
    events = interactions([[0, *pair] for pair in ([1, 2], [3, 4]) * 40], 5)

    def nearness(weighting: str) -> np.ndarray:
        model = AlternatingLeastSquares(dimensions=4, weighting=weighting)  # type: ignore[arg-type]
        matrix = model.fit(events, silent).matrix
        return np.asarray(matrix @ matrix.T)

    plain, weighted = nearness("none"), nearness("bm25")
    assert plain[1, 2] > 0.99
    assert weighted[1, 2] > 0.99
    assert abs(weighted[0, 1] - plain[0, 1]) > 0.01


def test_the_seed_decides_the_factors() -> None:
    events = checkerboard()

    def of_seed(seed: int) -> np.ndarray:
        return AlternatingLeastSquares(dimensions=4, seed=seed).fit(events, silent).matrix

    assert of_seed(1).tobytes() == of_seed(1).tobytes()
    assert np.abs(of_seed(1) - of_seed(2)).max() > 1e-3


def test_weights_that_explode_are_told() -> None:
    exploding: Interactions = replace(checkerboard(), weights=(1e30,))
    model = AlternatingLeastSquares(dimensions=4, weighting="none")
    with pytest.raises(DataError, match="extreme weights or lower alpha"):
        model.fit(exploding, silent)


@pytest.mark.parametrize("dimensions", [0, 4097])
def test_dimensions_have_bounds(dimensions: int) -> None:
    with pytest.raises(ConfigError, match=rf"als: dimensions = {dimensions} is not in 1\.\.4096"):
        AlternatingLeastSquares(dimensions=dimensions)
