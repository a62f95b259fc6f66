"""Features of pairs: what counts say, without decay and with the shop's own."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.core.interactions import DAY_S, Interactions
from recommender.core.neighbours import Neighbours
from recommender.core.vectors import ItemVectors
from recommender.ranking.rankers.pair_features import OTHERS_PRIOR, SIMPLE, Features, half_lives
from tests.support.shops import catalogue, context, interactions

N_ITEMS = 6


def features(events: Interactions) -> Features:
    matrix = np.random.default_rng(0).normal(size=(N_ITEMS, 4)).astype(np.float32)
    return Features.of(context(ItemVectors(matrix, matrix, bound=99), events, catalogue(N_ITEMS)))


def table(events: Interactions, seed: int, items: list[int]) -> dict[str, list[float]]:
    rows = np.array([items], dtype=np.int32)
    asked = Neighbours(rows, np.zeros(rows.shape, dtype=np.float32))
    names, values = features(events).table(np.array([seed], dtype=np.int32), asked)
    return {name: values[:, place].tolist() for place, name in enumerate(names)}


def test_every_simple_order_is_a_feature() -> None:
    assert set(SIMPLE) <= set(table(interactions([[0, 1], [2, 3]], N_ITEMS), 0, [1, 2]))


def test_cosine_and_rate_back_are_as_defined_and_do_not_decay() -> None:
    events = interactions([[0, 1], [0, 1], [1, 2], [3, 4]], N_ITEMS)
    old = replace(events, time=events.time - 4000 * DAY_S * (events.basket == 0))
    found, made = table(old, 0, [1, 2]), features(old).rates["ever"]
    assert found["cosine, ever"] == pytest.approx([2 / np.sqrt(2 * 3), 0])
    assert found["rate, ever"] == pytest.approx([2 / (2 + made.prior), 0])
    assert found["rate back, ever"] == pytest.approx([2 / (3 + made.prior), 0])
    assert found["lift, ever"][0] > 0 > found["lift, ever"][1]


def test_others_are_the_mean_number_of_items_beside_and_of_the_shop_where_unknown() -> None:
    events = interactions([[0, 1]] * 50 + [[2, 3, 4]] * 50, N_ITEMS)
    others = features(events).others
    mean = (100 * 1 + 150 * 2) / 250
    assert others[0] == pytest.approx((50 + OTHERS_PRIOR * mean) / (50 + OTHERS_PRIOR))
    assert others[2] == pytest.approx((100 + OTHERS_PRIOR * mean) / (50 + OTHERS_PRIOR))
    assert others[5] == pytest.approx(mean)


def test_windows_follow_the_span_of_a_shop_where_nothing_grows_old() -> None:
    events = interactions([[0, 1], [2, 3], [4, 5]], N_ITEMS)
    dated = replace(events, time=(1 + events.basket.astype(np.int64) * 200) * DAY_S)
    windows = half_lives(features(dated).context)
    assert windows == {"ever": np.inf, "recent": 100.0, "latest": pytest.approx(100 / 3)}


def test_a_shop_without_times_has_features_too() -> None:
    events = interactions([[0, 1], [2, 3]], N_ITEMS)
    found = table(replace(events, time=np.zeros(len(events), dtype=np.int64)), 0, [1])
    assert np.isfinite(found["rate, recent"]).all()
