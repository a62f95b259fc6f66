"""Complements and substitutes, where the answer is known."""

import dataclasses

import numpy as np
import pytest

from recommender import registry
from recommender.core.interactions import Interactions
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from recommender.ranking.rankers.affinity import Complements, Substitutes
from tests.support.phone_shop import BASKETS, N_ITEMS, others, phone_shop
from tests.support.shops import interactions


def test_nothing_bought_and_no_brand_or_category_leaves_text() -> None:
    texts = np.eye(N_ITEMS)
    texts[0, 1] = 0.9
    made = phone_shop([], texts)
    blank = ("",) * N_ITEMS
    made = dataclasses.replace(
        made, catalogue=dataclasses.replace(made.catalogue, brand=blank, category=blank)
    )
    rows, candidates = others(0)
    for ranker in (Complements(), Substitutes()):
        assert ranker.prepare(made).rank(rows, candidates).rows[0, 0] == 1


def with_views(baskets: list[list[int]], sessions: list[list[int]]) -> Interactions:
    """Purchases by basket, and views by session."""
    bought, viewed = interactions(baskets, N_ITEMS), interactions(sessions, N_ITEMS)

    none = [np.full(len(events), -1, dtype=np.int32) for events in (bought, viewed)]
    return dataclasses.replace(
        bought,
        item=np.concatenate([bought.item, viewed.item]),
        basket=np.concatenate([bought.basket, none[1]]),
        session=np.concatenate([none[0], viewed.basket]),
        user=np.concatenate([bought.user, viewed.user]),
        kind=np.concatenate([bought.kind, viewed.kind + 1]).astype(np.int8),
        time=np.concatenate([bought.time, viewed.time]),
        kinds=("purchase", "view"),
        weights=(1.0, 0.2),
    )


def test_what_is_viewed_together_is_a_choice_and_what_is_bought_is_not() -> None:
    """Items 3 and 4 are bought with 0 as often; 4 and 6 are viewed with it as often."""
    events = with_views([[0, 3], [0, 4]] * 10, [[0, 4], [0, 6]] * 10)
    blank = ("",) * N_ITEMS
    made = phone_shop([])
    items = dataclasses.replace(made.catalogue, brand=blank, category=blank)
    made = dataclasses.replace(made, interactions=events, catalogue=items)
    rows, candidates = others(0)
    complements = Complements().prepare(made).rank(rows, candidates).rows[0].tolist()
    assert complements[:2] == [3, 4]
    substitutes = Substitutes().prepare(made).rank(rows, candidates).rows[0].tolist()
    assert substitutes[:2] == [6, 4]


def test_with_orders_alone_a_substitute_is_near_and_rarely_in_one_basket() -> None:
    """By text 1, 2 and 3 are as near to 0; 3 is in another category, 1 in its baskets."""
    texts = np.eye(N_ITEMS)
    texts[[1, 2, 3], 0] = 2.0
    made = phone_shop([[0, 1]] * 20 + [[2]] * 20 + [[row] for row in range(N_ITEMS)] * 3, texts)
    rows, candidates = others(0)
    ranked = Substitutes().prepare(made).rank(rows, candidates).rows[0].tolist()
    assert ranked[:3] == [2, 1, 3]


def test_padding_stays_at_the_end() -> None:
    rows = np.array([0], dtype=np.int32)
    padded = Neighbours(np.array([[3, NONE]], np.int32), np.array([[1, -np.inf]], np.float32))
    for ranker in (Complements(), Substitutes()):
        ranked = ranker.prepare(phone_shop(BASKETS)).rank(rows, padded)
        assert ranked.found.tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("complements", {"half_life_days": -1.0}, "complements: half_life_days = -1.0 is neither"),
        ("complements", {"trusted_at": 0.0}, "complements: trusted_at = 0.0 is not above 0"),
        ("complements", {"lift": -0.5}, "complements: lift = -0.5 is below 0"),
        ("substitutes", {"nearness": 0.0}, "substitutes: nearness = 0.0 is not above 0"),
        ("substitutes", {"text_nearness": 0.0}, "substitutes: text_nearness = 0.0 is not above 0"),
        ("substitutes", {"elsewhere": 1.5}, r"substitutes: elsewhere = 1.5 is not in 0\.\.1"),
    ],
)
def test_parameters_out_of_range(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        registry.ranker(Choice(name, parameters))
