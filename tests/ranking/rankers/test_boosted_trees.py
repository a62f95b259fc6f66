import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.ranking.rankers.boosted_trees import LEAVES_MAX, BoostedTrees

N_FEATURES = 6


def drawn(seed: int, missing: float, n: int = 2_000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    table[:, 1] = np.round(table[:, 1])
    table[:, 2] = 1.0
    table[rng.random(table.shape) < missing] = np.nan
    return table


def grown(table: np.ndarray, leaves: int, trees: int, seed: int = 0) -> lightgbm.Booster:
    known = np.nan_to_num(table.astype(float), nan=-0.5)
    label = known[:, 0] * known[:, 1] + np.abs(known[:, 3]) + known[:, 5]
    parameters = {"num_leaves": leaves, "min_data_in_leaf": 5, "seed": seed, "verbose": -1}
    return lightgbm.train(parameters | {"num_threads": 1}, lightgbm.Dataset(table, label), trees)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.01, 0.4]),
    leaves=st.sampled_from([2, 7, 32, 33, LEAVES_MAX]),
    trees=st.integers(1, 12),
)
def test_predictions_are_those_of_lightgbm(
    seed: int, missing: float, leaves: int, trees: int
) -> None:
    booster = grown(drawn(seed, missing), leaves, trees, seed)
    asked = drawn(seed + 100, 0.2, 700)
    asked[:3] = np.array([[np.inf], [-np.inf], [0.0]])
    predicted = BoostedTrees.parsed(booster.model_to_string()).predict(asked)
    assert predicted == pytest.approx(booster.predict(asked), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_value_at_a_threshold_goes_to_the_left(missing: float) -> None:
    booster = grown(drawn(1, missing), 31, 5)
    trees = BoostedTrees.parsed(booster.model_to_string())
    for feature, thresholds in enumerate(trees.thresholds):
        asked = np.zeros((3 * len(thresholds), N_FEATURES), dtype=np.float32)
        above, below = (np.nextafter(thresholds, np.float32(to)) for to in (np.inf, -np.inf))
        asked[:, feature] = np.concatenate([thresholds, above, below])
        # LightGBM takes what is that small for 0
        asked = asked[(asked == 0).all(axis=1) | (np.abs(asked) > 1e-30).any(axis=1)]
        assert trees.predict(asked) == pytest.approx(booster.predict(asked), rel=1e-12)


def test_trees_of_one_leaf_add_a_constant() -> None:
    table = drawn(0, 0.0, 30)
    booster = grown(table, 2, 1)
    flat = lightgbm.train(
        {"min_data_in_leaf": 1_000, "verbose": -1},
        lightgbm.Dataset(table, np.arange(30.0)),
        3,
    )
    for model in (booster, flat):
        predicted = BoostedTrees.parsed(model.model_to_string()).predict(table)
        assert predicted == pytest.approx(model.predict(table))


def test_no_rows_have_no_predictions() -> None:
    trees = BoostedTrees.parsed(grown(drawn(0, 0.0), 4, 2).model_to_string())
    assert trees.predict(np.zeros((0, N_FEATURES), dtype=np.float32)).shape == (0,)


def test_wider_trees_are_refused() -> None:
    text = grown(drawn(0, 0.0), LEAVES_MAX + 1, 2).model_to_string()
    with pytest.raises(ValueError, match="a tree has 65 leaves; at most 64 can be read"):
        BoostedTrees.parsed(text)
