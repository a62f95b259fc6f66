"""The learned fusion: what it learns, and what it leaves alone."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from recommender import registry
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.errors import ConfigError
from recommender.vectors.behaviour.co_occurrence_svd import CoOccurrenceSVD
from recommender.vectors.fusion import training
from recommender.vectors.fusion.learned import FittedTowers, Learned
from recommender.vectors.fusion.towers import first_parameters
from recommender.vectors.fusion.training import COUNTS, TRUSTED_AT, Counts
from tests.support.shops import interactions

Shop = tuple[Origins, Catalogue, Interactions]
WORDS, PER_WORD, COLD_PER_WORD = 8, 12, 1
N_ITEMS = WORDS * PER_WORD


def made_shop() -> Shop:
    """Items of word w are bought with those of its partner alone; the first of each is cold."""
    rng = np.random.default_rng(3)
    word = np.arange(N_ITEMS) % WORDS
    baskets = []
    for _ in range(600):
        first = int(rng.integers(WORDS))
        one, two = (
            rng.choice(np.flatnonzero(word == w)[COLD_PER_WORD:], 2, replace=False)
            for w in (first, first ^ 1)
        )
        baskets.append([int(one[0]), int(two[0])])
    events = interactions(baskets, N_ITEMS)
    centres = np.linalg.qr(rng.normal(size=(32, 32)))[0][:WORDS]
    matrix = centres[word] + 0.05 * rng.normal(size=(N_ITEMS, 32))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    text = Embeddings(matrix.astype(np.float32), np.ones(N_ITEMS, dtype=np.float32))
    behaviour = CoOccurrenceSVD(dimensions=16).fit(events, silent)
    ids = ItemIds(tuple(f"i{row}" for row in range(N_ITEMS)))
    items = Catalogue.of_titles(ids, ["title"] * N_ITEMS)
    return Origins({"text": text}, {"behaviour": behaviour}), items, events


@pytest.fixture(scope="module")
def shop() -> Shop:
    return made_shop()


@pytest.fixture(scope="module")
def fitted(shop: Shop) -> FittedTowers:
    return Learned().fuse(*shop)


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


def test_behaviour_is_hidden_for_a_share_of_the_asking_items(
    shop: Shop, fitted: FittedTowers
) -> None:
    inputs = fitted.inputs(shop[0], shop[1])
    counts = Counts.of(shop[2], 0)
    draws = [training._Samples(inputs, counts, seed, 0.25).draw() for seed in range(20)]
    assert np.mean([draw.row_kept.mean() for draw in draws]) == pytest.approx(0.75, abs=0.03)
    assert np.mean([draw.column_kept.mean() for draw in draws]) == pytest.approx(0.9, abs=0.03)
    hidden = inputs.without_behaviour(np.zeros((N_ITEMS, 1), dtype=np.float32))
    assert not hidden.behaviour.any()
    assert not hidden.support.any()
    assert (hidden.content == inputs.content).all()


def test_items_held_out_are_not_asked_in_training(shop: Shop, fitted: FittedTowers) -> None:
    lesson = training._Samples(fitted.inputs(shop[0], shop[1]), Counts.of(shop[2], 0), 0, 0.25)
    assert len(lesson.exam.rows)
    assert not np.isin(lesson.exam.rows, lesson.rows).any()


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


def test_the_state_of_torch_and_numpy_stays(shop: Shop) -> None:
    import torch

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    seeded = str(np.random.get_state())  # noqa: NPY002 - the global state must stay
    Learned(steps=2).fuse(*shop)
    assert torch.get_num_threads() == threads
    assert (torch.get_rng_state() == state).all()
    assert str(np.random.get_state()) == seeded  # noqa: NPY002


def test_apply_needs_no_torch(shop: Shop) -> None:
    code = "import sys, recommender.vectors.fusion.learned; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_training_stops_where_items_held_out_get_no_better(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = []
    offer = training._Best.offer

    def worse(best: training._Best, parameters: dict[str, object], loss: float) -> None:
        checks.append(loss)
        offer(best, parameters, loss + 100.0 * (len(checks) > 1))

    monkeypatch.setattr(training._Best, "offer", worse)
    Learned(steps=10 * training.CHECK_EVERY).fuse(*shop)
    assert len(checks) == 1 + training.PATIENCE


def test_a_large_shop_takes_more_steps() -> None:
    lesson = training.Training(steps=160, cold_share=0.25, seed=0)
    assert lesson.steps_for(3_000) == 160
    assert lesson.steps_for(51_200) == 400


def test_what_was_best_on_items_held_out_is_kept() -> None:
    first = first_parameters(2, 1, 2, 3, 0)
    best = training._Best(first)
    import torch

    for loss, value in ((2.0, 1.0), (1.0, 2.0), (3.0, 4.0)):
        best.offer({"gate": torch.full((1, 2), value)}, loss)
    assert best.parameters["gate"].tolist() == [[2.0, 2.0]]
    assert best.stale == 1


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


def test_strength_is_the_root_of_the_weighted_share() -> None:
    counts = Counts.of(interactions([[0, 1, 2], [0, 1], [2, 3]], 5), half_life_days=0)
    rows, columns = np.array([0, 2, 4], np.int32), np.array([1, 3], np.int32)
    three = 0.5**0.5
    expected = np.array([[1 + three, 0], [three, 1], [0, 0]])
    expected /= np.array([[1 + 2 * three], [1 + 2 * three], [1]])
    trust = np.array([[2], [2], [0]]) / (np.array([[2], [2], [0]]) + TRUSTED_AT)
    assert counts.strength(rows, columns) == pytest.approx(
        COUNTS * np.sqrt(expected * trust), abs=1e-5
    )


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
