"""What every interaction model owes."""

import numpy as np
import pytest

from recommender import registry
from recommender.core.protocols import InteractionModel
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError
from tests.support.shops import checkerboard, interactions

N_ITEMS, COLD = 20, 2


@pytest.fixture(scope="module", params=sorted(registry.INTERACTION_MODELS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> InteractionModel:
    return registry.interaction_model(Choice(name, {"dimensions": 8}))


@pytest.fixture(scope="module")
def fitted(model: InteractionModel) -> Embeddings:
    return model.fit(checkerboard(N_ITEMS, cold=COLD), silent)


def test_one_unit_row_per_item_that_was_bought(fitted: Embeddings) -> None:
    assert fitted.matrix.dtype == np.float32
    assert fitted.matrix.shape[0] == N_ITEMS
    norms = np.linalg.norm(fitted.matrix, axis=1)
    assert norms[:-COLD] == pytest.approx(np.ones(N_ITEMS - COLD), abs=1e-5)


def test_cold_items_have_no_support_and_a_zero_row(fitted: Embeddings) -> None:
    assert not fitted.support[-COLD:].any()
    assert not fitted.matrix[-COLD:].any()


def test_support_counts_distinct_baskets(model: InteractionModel) -> None:
    twice_in_one_basket = interactions([[0, 0, 1], [0, 1], [0, 2], [2, 1]], 4)
    assert model.fit(twice_in_one_basket, silent).support.tolist() == [3, 3, 2, 0]


def test_items_bought_together_are_nearest(fitted: Embeddings) -> None:
    scores = fitted.matrix @ fitted.matrix.T
    np.fill_diagonal(scores, -2)
    nearest = scores[:-COLD].argmax(axis=1)
    assert (nearest % 2 == np.arange(N_ITEMS - COLD) % 2).all()


def test_same_seed_same_bytes(model: InteractionModel, fitted: Embeddings) -> None:
    again = model.fit(checkerboard(N_ITEMS, cold=COLD), silent)
    assert np.abs(again.matrix - fitted.matrix).max() < 1e-5


def test_inputs_stay_as_they_are(model: InteractionModel) -> None:
    given = checkerboard()
    before = {key: array.copy() for key, array in given.columns().items()}
    model.fit(given, silent)
    for key, array in given.columns().items():
        assert (array == before[key]).all()


def test_no_interactions_give_zero_rows(model: InteractionModel) -> None:
    fitted = model.fit(interactions([], 5), silent)
    assert fitted.matrix.shape[0] == 5
    assert not fitted.matrix.any()
    assert not fitted.support.any()


def test_one_item_and_one_giant_basket(model: InteractionModel) -> None:
    assert np.isfinite(model.fit(interactions([[0]], 1), silent).matrix).all()
    assert np.isfinite(model.fit(interactions([list(range(50))], 50), silent).matrix).all()


def test_units_can_be_users_or_sessions(name: str) -> None:
    given = checkerboard()
    by_user = registry.interaction_model(Choice(name, {"dimensions": 8, "unit": "user"}))
    assert by_user.fit(given, silent).support.any()
    by_session = registry.interaction_model(Choice(name, {"dimensions": 8, "unit": "session"}))
    assert not by_session.fit(given, silent).support.any()


@pytest.mark.parametrize("parameters", [{"dimensions": 0}, {"iterations": 0}, {"factors": 8}])
def test_parameters_out_of_range_are_refused(name: str, parameters: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.interaction_model(Choice(name, dict(parameters)))


def test_unknown_unit_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="unit = 'order' is not one of 'auto', 'basket'"):
        registry.interaction_model(Choice(name, {"unit": "order"}))
