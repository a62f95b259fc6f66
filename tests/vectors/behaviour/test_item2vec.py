"""Item2vec: pairs drawn, passes found, in and out vectors."""

from dataclasses import replace

import numpy as np
import pytest

from recommender import registry
from recommender.core.co_occurrence import WeightedUnits
from recommender.core.interactions import DAY_S
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError
from recommender.vectors.behaviour import item2vec
from recommender.vectors.behaviour.item2vec import Item2Vec, _Pairs, _SkipGram
from tests.support.shops import checkerboard, interactions


def pairs_of(baskets: list[list[int]], n_items: int) -> _Pairs:
    return _Pairs.of(WeightedUnits.of(interactions(baskets, n_items), "basket", 0, 0))


@pytest.fixture(scope="module")
def fitted() -> Embeddings:
    return Item2Vec(dimensions=8, iterations=6).fit(checkerboard(), silent)


def test_pairs_are_two_items_of_one_unit() -> None:
    pairs = pairs_of([[0, 1, 2], [3, 4], [5]], 6)
    asked, other = pairs.draw(np.random.default_rng(0), 2000)
    seen = set(zip(asked.tolist(), other.tolist(), strict=True))
    assert seen == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (3, 4), (4, 3)}


def test_frequent_items_are_thinned_by_the_root() -> None:
    rare = [[0, 2 * number + 1] for number in range(60)]
    pairs = pairs_of([*rare, *[[0, 2]] * 40], 121)
    mean = pairs.frequency[pairs.frequency > 0].mean()
    expected = np.sqrt(item2vec.FREQUENT * mean / 100)
    assert expected < 1
    chance = pairs.chance / pairs.chance[pairs.item == 1][0]
    assert chance[pairs.item == 0] == pytest.approx(np.full(100, expected))


def test_old_events_ask_less() -> None:
    events = interactions([[0, 1], [2, 3]], 4)
    aged = replace(events, time=events.time + np.array([0, 0, 30, 30]) * DAY_S)
    pairs = _Pairs.of(WeightedUnits.of(aged, "basket", 30, 0))
    assert pairs.chance[0] == pytest.approx(pairs.chance[2] / 2, rel=1e-3)


def test_out_vectors_are_nearest_where_items_are_bought_together(fitted: Embeddings) -> None:
    assert fitted.targets is not None
    scores = fitted.matrix @ fitted.targets.T
    np.fill_diagonal(scores, -2)
    assert (scores[:18].argmax(axis=1) % 2 == np.arange(18) % 2).all()


def test_targets_are_as_long_as_popular_and_zero_where_cold(fitted: Embeddings) -> None:
    assert fitted.targets is not None
    lengths = np.linalg.norm(fitted.targets, axis=1)
    assert lengths[:18].max() == pytest.approx(1, abs=1e-5)
    assert (lengths[:18] > 0.5).all()
    assert not lengths[18:].any()


def test_passes_are_those_that_units_held_out_profit_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = iter([3.0, 1.0, 2.0, 2.5, 0.1])
    passes = []
    run = _SkipGram.run_pass

    def counted(skip_gram: _SkipGram) -> None:
        passes.append(skip_gram)
        run(skip_gram)

    monkeypatch.setattr(_SkipGram, "run_pass", counted)
    monkeypatch.setattr(_SkipGram, "examined", lambda *_: next(losses))
    Item2Vec(dimensions=4, iterations=9).fit(checkerboard(), silent)
    first, second = passes.count(passes[0]), passes.count(passes[-1])
    assert (first, second) == (2 + item2vec.PATIENCE, 2)


def test_an_item_alone_in_its_units_has_no_vector() -> None:
    fitted = Item2Vec(dimensions=4, iterations=1).fit(interactions([[0, 1], [2]], 3), silent)
    assert fitted.support.tolist() == [1, 1, 0]


def test_the_state_of_torch_stays() -> None:
    import torch

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    Item2Vec(dimensions=4, iterations=1).fit(checkerboard(), silent)
    assert torch.get_num_threads() == threads
    assert (torch.get_rng_state() == state).all()


def test_same_seed_same_bytes(fitted: Embeddings) -> None:
    again = Item2Vec(dimensions=8, iterations=6).fit(checkerboard(), silent)
    assert again.matrix.tobytes() == fitted.matrix.tobytes()


@pytest.mark.parametrize(
    "parameters", [{"negatives": 0}, {"half_life_days": -1.0}, {"popularity": -0.1}]
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"item2vec: {next(iter(parameters))}"):
        registry.interaction_model(Choice("item2vec", parameters))
