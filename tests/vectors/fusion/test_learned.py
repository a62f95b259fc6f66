"""The learned fusion: what it learns, and what it leaves alone."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from recommender import registry
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.errors import ConfigError
from recommender.vectors.behaviour.co_occurrence_svd import CoOccurrenceSVD
from recommender.vectors.fusion.learned import Learned
from recommender.vectors.fusion.towers import FittedTowers
from tests.support.shops import interactions
from tests.vectors.fusion.partner_shop import (
    COLD_PER_WORD,
    N_ITEMS,
    WORDS,
    Shop,
)


def partners_on_top(vectors: ItemVectors, rows: np.ndarray) -> float:
    """The share of the ten best of `rows` that has the partner's word."""
    scores = vectors.queries[rows] @ vectors.targets.T
    scores[np.arange(len(rows)), rows] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :10] % WORDS
    return float((best == (rows % WORDS ^ 1)[:, None]).mean())


def test_cold_items_learn_what_their_like_are_bought_with(shop: Shop, fitted: FittedTowers) -> None:
    cold = np.arange(WORDS * COLD_PER_WORD)
    gated = registry.fusion(Choice("gated")).fuse(*shop).apply(shop[0], shop[1])
    assert partners_on_top(gated, cold) < 0.2
    assert partners_on_top(fitted.apply(shop[0], shop[1]), cold) > 0.8


def test_warm_items_keep_what_was_counted(shop: Shop, fitted: FittedTowers) -> None:
    warm = np.arange(WORDS * COLD_PER_WORD, N_ITEMS)
    assert partners_on_top(fitted.apply(shop[0], shop[1]), warm) > 0.75


def test_same_seed_same_bytes_and_another_seed_others(shop: Shop, fitted: FittedTowers) -> None:
    again, other = Learned().fuse(*shop).columns(), Learned(seed=1).fuse(*shop).columns()
    for name, array in fitted.columns().items():
        assert array.tobytes() == again[name].tobytes()
    assert (other["query.out"] != again["query.out"]).any()


def test_columns_bring_the_fitted_fusion_back(shop: Shop, fitted: FittedTowers) -> None:
    loaded = Learned().load(fitted.columns(), shop[0])
    one, two = (towers.apply(shop[0], shop[1]) for towers in (fitted, loaded))
    assert (one.queries == two.queries).all()
    assert (one.targets == two.targets).all()


def test_apply_needs_no_torch(shop: Shop) -> None:
    code = "import sys, recommender.vectors.fusion.learned; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_item_of_neither_text_nor_behaviour_has_no_vector(
    shop: Shop, fitted: FittedTowers
) -> None:
    text = shop[0].content["text"]
    matrix, words = text.matrix.copy(), text.support.copy()
    matrix[0], words[0] = 0, 0
    vectors = fitted.apply(Origins({"text": Embeddings(matrix, words)}, shop[0].behaviour), shop[1])
    assert not vectors.queries[0].any()
    assert not vectors.targets[0].any()
    assert vectors.queries[1].any()


def test_equal_text_and_sides_make_equal_cold_queries(shop: Shop, fitted: FittedTowers) -> None:
    text = shop[0].content["text"]
    matrix = text.matrix.copy()
    matrix[1] = matrix[0]
    vectors = fitted.apply(
        Origins({"text": Embeddings(matrix, text.support)}, shop[0].behaviour), shop[1]
    )
    assert vectors.queries[0] == pytest.approx(vectors.queries[1], abs=1e-6)


def test_no_interactions_leave_the_plain_gate(shop: Shop) -> None:
    none = interactions([], N_ITEMS)
    behaviour = {"behaviour": CoOccurrenceSVD(dimensions=4).fit(none, silent)}
    origins = Origins(shop[0].content, behaviour)
    vectors = Learned().fuse(origins, shop[1], none).apply(origins, shop[1])
    assert int((vectors.queries[0] @ vectors.targets.T)[1:].argmax() + 1) % WORDS == 0


def test_side_features_are_learned_from(shop: Shop) -> None:
    """Text says nothing here; the category tells what goes together."""
    origins, items, events = shop
    text = origins.content["text"]
    same = np.tile(text.matrix[:1], (N_ITEMS, 1))
    blind = Origins({"text": Embeddings(same, text.support)}, origins.behaviour)
    category = tuple(f"c{row % WORDS}" for row in range(N_ITEMS))
    told = replace(items, category=category)
    cold = np.arange(WORDS * COLD_PER_WORD)
    without = Learned().fuse(blind, items, events).apply(blind, items)
    having = Learned().fuse(blind, told, events).apply(blind, told)
    assert partners_on_top(without, cold) < 0.3
    assert partners_on_top(having, cold) > 0.6


@pytest.mark.parametrize(
    "parameters", [{"hidden": 0}, {"cold_share": 1.0}, {"steps": 0}, {"half_life_days": -1.0}]
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"learned: {next(iter(parameters))}"):
        registry.fusion(Choice("learned", parameters))


def test_two_behaviours_must_be_told_apart(shop: Shop) -> None:
    behaviour = shop[0].behaviour["behaviour"]
    both = Origins(shop[0].content, {"behaviour": behaviour, "views": behaviour})
    with pytest.raises(ConfigError, match="2 interaction models"):
        Learned().fuse(both, shop[1], shop[2])
    Learned(behaviour="views", steps=1).fuse(both, shop[1], shop[2])
