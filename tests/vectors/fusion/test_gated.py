"""The gate: from content to behaviour as support grows."""

import numpy as np
import pytest

from recommender import registry
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.recipe import Choice
from recommender.core.vectors import Embeddings, Origins
from recommender.errors import ConfigError
from recommender.vectors.fusion.gated import Gated, shortest_target, target_lengths
from tests.support.shops import text_and_orders

N_ITEMS, COLD = 20, 2
Shop = tuple[Origins, Catalogue, Interactions]


@pytest.fixture(scope="module")
def shop() -> Shop:
    return text_and_orders(N_ITEMS, COLD)


def two_models(shop: Shop) -> Shop:
    orders = shop[0].behaviour["orders"]
    return Origins(shop[0].content, {"orders": orders, "views": orders}), shop[1], shop[2]


def test_gate_moves_from_text_to_behaviour(
    shop: Shop,
) -> None:
    gate = registry.fusion(Choice("gated", {"text_share": 0.2, "half_support": 10.0}))
    vectors = gate.fuse(*shop).apply(shop[0], shop[1])
    dimensions = shop[0].content["text"].matrix.shape[1]
    weight = np.linalg.norm(vectors.queries[:, dimensions:], axis=1)
    support = shop[0].behaviour["orders"].support
    assert weight[1:] == pytest.approx(0.8 * support[1:] / (support[1:] + 10), abs=1e-5)
    assert weight[0] == pytest.approx(1)


def test_gated_targets_are_as_long_as_the_behaviours_and_cold_ones_shortest(
    shop: Shop,
) -> None:
    vectors = registry.fusion(Choice("gated")).fuse(*shop).apply(shop[0], shop[1])
    text, orders = shop[0].content["text"], shop[0].behaviour["orders"]
    assert orders.targets is not None
    of_text = np.linalg.norm(vectors.targets[:, : text.matrix.shape[1]], axis=1)
    bought = np.linalg.norm(orders.targets, axis=1)
    assert of_text[1:-COLD] == pytest.approx(bought[1:-COLD], abs=1e-5)
    assert of_text[-COLD:] == pytest.approx(np.full(COLD, bought[:-COLD].min()), abs=1e-5)


def test_of_two_interaction_models_one_must_be_named(shop: Shop) -> None:
    both = two_models(shop)
    with pytest.raises(ConfigError, match=r"recipe has 2 interaction models \(orders, views\)"):
        Gated().fuse(*both)
    fitted = Gated(behaviour="views").fuse(*both)
    assert fitted.behaviour == "views"
    alone = Gated().fuse(*shop)
    assert (fitted.apply(*both[:2]).queries == alone.apply(*shop[:2]).queries).all()


def test_without_an_interaction_model_there_is_nothing_to_gate(shop: Shop) -> None:
    with pytest.raises(ConfigError, match=r"recipe has 0 interaction models \(none\)"):
        Gated().fuse(Origins(shop[0].content), *shop[1:])


def test_a_model_without_targets_of_its_own_has_targets_of_length_one(shop: Shop) -> None:
    orders = shop[0].behaviour["orders"]
    plain = Embeddings(orders.matrix, orders.support)
    assert shortest_target(plain) == 1
    assert target_lengths(plain, 0.25).tolist() == [1] * N_ITEMS


def test_items_without_a_target_have_the_shortest_that_there_is() -> None:
    targets = np.array([[3, 4], [0, 0], [0, 2]], dtype=np.float32)
    behaviour = Embeddings(targets, np.array([1, 0, 1], dtype=np.float32), targets)
    assert shortest_target(behaviour) == 2
    assert target_lengths(behaviour, 2.0).tolist() == [5, 2, 2]
    nothing = np.zeros_like(targets)
    assert shortest_target(Embeddings(nothing, np.zeros(3, np.float32), nothing)) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"text_share": -0.1}, "text_share = -0.1 is not in 0..1"),
        ({"text_share": float("nan")}, "text_share = nan is not in 0..1"),
        ({"half_support": 0.0}, "half_support = 0.0 is not above 0"),
        ({"half_support": float("nan")}, "half_support = nan is not above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Gated(**parameters)  # type: ignore[arg-type]
