"""What every fusion owes."""

import numpy as np
import pytest

from recommender import registry
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.protocols import FittedFusion, Fusion
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.errors import ConfigError
from recommender.vectors.content.static import HashingEncoder
from tests.support.shops import catalogue, checkerboard

N_ITEMS, COLD = 20, 2


@pytest.fixture(scope="module")
def shop() -> tuple[Origins, Catalogue, Interactions]:
    items, events = catalogue(N_ITEMS), checkerboard(N_ITEMS, cold=COLD)
    matrix = HashingEncoder(64).encode(items.title, silent)
    text = Embeddings.of_rows(matrix, np.ones(N_ITEMS, dtype=np.float32))
    model = registry.interaction_model(Choice("co-occurrence-svd", {"dimensions": 8}))
    return Origins({"text": text}, {"orders": model.fit(events, silent)}), items, events


@pytest.fixture(scope="module", params=sorted(registry.FUSIONS))
def fusion(request: pytest.FixtureRequest) -> Fusion:
    return registry.fusion(Choice(request.param))


@pytest.fixture(scope="module")
def fitted(fusion: Fusion, shop: tuple[Origins, Catalogue, Interactions]) -> FittedFusion:
    return fusion.fuse(*shop)


@pytest.fixture(scope="module")
def vectors(fitted: FittedFusion, shop: tuple[Origins, Catalogue, Interactions]) -> ItemVectors:
    return fitted.apply(shop[0], shop[1])


def test_one_query_and_one_target_per_item(vectors: ItemVectors) -> None:
    assert vectors.queries.shape == vectors.targets.shape
    assert len(vectors.queries) == N_ITEMS
    assert vectors.queries.dtype == vectors.targets.dtype == np.float32


def test_no_score_is_above_the_bound(vectors: ItemVectors) -> None:
    assert (vectors.queries @ vectors.targets.T).max() <= vectors.bound + 1e-5


def test_cold_item_is_found_and_finds_by_text(vectors: ItemVectors) -> None:
    scores = vectors.queries[-1] @ vectors.targets.T
    scores[-1] = -1
    same_word = [row for row in range(N_ITEMS - 1) if row % 6 == (N_ITEMS - 1) % 6]
    assert int(scores.argmax()) in same_word
    found_by = vectors.queries @ vectors.targets[-1]
    found_by[-1] = -1
    assert int(found_by.argmax()) in same_word


def test_item_without_text_is_found_by_behaviour(vectors: ItemVectors) -> None:
    scores = vectors.queries[0] @ vectors.targets.T
    scores[0] = -1
    assert int(scores.argmax()) % 2 == 0


def taken(origins: Origins, chosen: np.ndarray) -> Origins:
    """The origins of some items."""
    content, behaviour = (
        {
            name: Embeddings(
                origin.matrix[chosen],
                origin.support[chosen],
                None if origin.targets is None else origin.targets[chosen],
            )
            for name, origin in of_kind.items()
        }
        for of_kind in (origins.content, origins.behaviour)
    )
    return Origins(content, behaviour)


def test_applies_to_items_that_were_not_in_the_fit(
    fitted: FittedFusion, shop: tuple[Origins, Catalogue, Interactions]
) -> None:
    chosen = np.arange(N_ITEMS - 5, N_ITEMS)
    few = taken(shop[0], chosen)
    items = catalogue(N_ITEMS)
    whole = fitted.apply(shop[0], items)
    some = fitted.apply(few, Catalogue.of_titles(ItemIds(items.ids.ids[-5:]), items.title[-5:]))
    assert some.queries == pytest.approx(whole.queries[chosen], abs=1e-6)
    assert some.targets == pytest.approx(whole.targets[chosen], abs=1e-6)
    assert some.bound == whole.bound


def test_a_cold_item_alone_is_what_it_is_among_others(
    fitted: FittedFusion, shop: tuple[Origins, Catalogue, Interactions]
) -> None:
    origins, items, _ = shop
    alone = taken(origins, np.arange(N_ITEMS - 1, N_ITEMS))
    last = Catalogue.of_titles(ItemIds(items.ids.ids[-1:]), items.title[-1:])
    whole, made = fitted.apply(origins, items), fitted.apply(alone, last)
    assert made.targets == pytest.approx(whole.targets[-1:], abs=1e-6)
    assert made.queries == pytest.approx(whole.queries[-1:], abs=1e-6)


def test_columns_bring_the_fitted_fusion_back(
    fusion: Fusion,
    fitted: FittedFusion,
    shop: tuple[Origins, Catalogue, Interactions],
) -> None:
    loaded = fusion.load(fitted.columns(), shop[0])
    one, two = (each.apply(shop[0], shop[1]) for each in (fitted, loaded))
    assert (one.queries == two.queries).all()
    assert (one.targets == two.targets).all()


def test_learned_columns_are_arrays(fitted: FittedFusion) -> None:
    assert fitted.columns()
    for array in fitted.columns().values():
        assert array.dtype != object


def test_embeddings_stay_as_they_are(
    fusion: Fusion, shop: tuple[Origins, Catalogue, Interactions]
) -> None:
    before = {name: origin.matrix.copy() for name, origin in shop[0].by_name().items()}
    fusion.fuse(*shop).apply(shop[0], shop[1])
    for name, matrix in before.items():
        assert (shop[0].by_name()[name].matrix == matrix).all()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gated", {"text_share": 1.5}),
        ("gated", {"half_support": 0}),
        ("concatenation", {"weights": {"text": -1}}),
        ("concatenation", {"weight": {"text": 1}}),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.fusion(Choice(name, parameters))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("gated", {"behaviour": "clicks"}), ("concatenation", {"weights": {"clicks": 1}})],
)
def test_absent_embeddings_are_named(
    name: str,
    parameters: dict[str, object],
    shop: tuple[Origins, Catalogue, Interactions],
) -> None:
    with pytest.raises(ConfigError, match=r"no embeddings 'clicks'; there are (text, )?orders"):
        registry.fusion(Choice(name, parameters)).fuse(*shop)


def test_gate_moves_from_text_to_behaviour(
    shop: tuple[Origins, Catalogue, Interactions],
) -> None:
    gate = registry.fusion(Choice("gated", {"text_share": 0.2, "half_support": 10.0}))
    vectors = gate.fuse(*shop).apply(shop[0], shop[1])
    dimensions = shop[0].content["text"].matrix.shape[1]
    weight = np.linalg.norm(vectors.queries[:, dimensions:], axis=1)
    support = shop[0].behaviour["orders"].support
    assert weight[1:] == pytest.approx(0.8 * support[1:] / (support[1:] + 10), abs=1e-5)
    assert weight[0] == pytest.approx(1)


def test_gated_targets_are_as_long_as_the_behaviours_and_cold_ones_shortest(
    shop: tuple[Origins, Catalogue, Interactions],
) -> None:
    vectors = registry.fusion(Choice("gated")).fuse(*shop).apply(shop[0], shop[1])
    text, orders = shop[0].content["text"], shop[0].behaviour["orders"]
    assert orders.targets is not None
    of_text = np.linalg.norm(vectors.targets[:, : text.matrix.shape[1]], axis=1)
    bought = np.linalg.norm(orders.targets, axis=1)
    assert of_text[1:-COLD] == pytest.approx(bought[1:-COLD], abs=1e-5)
    assert of_text[-COLD:] == pytest.approx(np.full(COLD, bought[:-COLD].min()), abs=1e-5)
