from dataclasses import replace

import numpy as np
import pytest

from recommender.core.interactions import DAY_S, Interactions
from recommender.core.protocols import RankingContext, TrainingSet
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.core.telemetry import silent
from recommender.core.vectors import ItemVectors
from recommender.ranking import training_set
from recommender.ranking.rankers.fitted_order import FittedOrder
from recommender.ranking.rankers.learned import LearnedRanker
from recommender.ranking.training_set import TemporalSplit, fit_ranker
from tests.support.shops import catalogue, checkerboard, context, interactions

N_ITEMS = 20
PLACEMENT = Placement(
    "related",
    Choice("gated"),
    candidates=(Choice("nearest"), Choice("co-occurrence")),
    ranker=Choice("learned"),
    shown=1,
    depth=4,
)
RECIPE = Recipe(
    {"text": Choice("hashing")},
    {"orders": Choice("co-occurrence-svd", {"dimensions": 4})},
    Choice("exact"),
    (PLACEMENT,),
)


def shop_of(events: Interactions) -> RankingContext:
    matrix = np.random.default_rng(0).normal(size=(N_ITEMS, 4)).astype(np.float32)
    return context(ItemVectors(matrix, matrix, bound=99), events, catalogue(N_ITEMS))


def split_of(events: Interactions) -> TemporalSplit | None:
    shop = shop_of(events)
    return TemporalSplit.of(
        RECIPE, shop.catalogue, events, shop.origins.content, shop.near_by_content, silent
    )


def daily(n_baskets: int) -> Interactions:
    """A basket of two a day."""
    events = interactions([[n % 5, 5 + n % 7] for n in range(n_baskets)], N_ITEMS)
    return replace(events, time=1_700_000_000 + events.basket.astype(np.int64) * DAY_S)


def test_the_past_goes_back_by_a_fifth() -> None:
    past = split_of(daily(50))
    assert past is not None
    assert past.known.newest < past.later.time.min()
    assert np.unique(past.later.basket).tolist() == list(range(40, 50))


@pytest.mark.parametrize(("events", "first"), [(60, 370), (10, 386)])
def test_a_busy_shop_goes_back_as_far_as_its_events_are_enough_but_two_weeks(
    events: int, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_set, "LATER_EVENTS", events)
    past = split_of(daily(400))
    assert past is not None
    assert int(past.later.basket.min()) == pytest.approx(first, abs=1)


def test_a_basket_is_never_cut_in_two() -> None:
    events = daily(50)
    lasting = np.where(np.arange(len(events)) % 2 == 1, 3 * DAY_S, 0)
    past = split_of(replace(events, time=events.time + lasting))
    assert past is not None
    assert not set(past.known.basket.tolist()) & set(past.later.basket.tolist())


def test_without_times_a_seeded_fifth_of_the_baskets_is_later() -> None:
    events = daily(50)
    past = split_of(replace(events, time=np.zeros(len(events), dtype=np.int64)))
    assert past is not None
    assert len(np.unique(past.later.basket)) == 10
    assert not set(past.known.basket.tolist()) & set(past.later.basket.tolist())


def test_without_events_there_is_no_past() -> None:
    assert split_of(interactions([], N_ITEMS)) is None
    assert fit_ranker(PLACEMENT, lambda: None) == FittedOrder()


def test_who_does_not_learn_asks_for_no_past() -> None:
    def never() -> None:
        raise AssertionError

    fitted = fit_ranker(replace(PLACEMENT, ranker=Choice("identity")), never)
    assert fitted.columns() == {}


def test_in_one_scene_the_asking_items_have_lost_their_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training_sets: list[TrainingSet] = []

    def keep(_self: LearnedRanker, training_set: TrainingSet | None) -> FittedOrder:
        assert training_set is not None
        training_sets.append(training_set)
        return FittedOrder()

    monkeypatch.setattr(LearnedRanker, "fit", keep)
    past = split_of(checkerboard(N_ITEMS, n_baskets=400))
    assert past is not None
    past.fit(PLACEMENT)
    warm, cold = training_sets[0].queries
    assert len(warm.rows) == N_ITEMS
    assert len(cold.rows) == (N_ITEMS - 2) // 5
    assert not np.isin(cold.context.interactions.item, cold.rows).any()
    assert not cold.context.origins.behaviour["orders"].matrix[cold.rows].any()
    assert cold.context.origins.content["text"].matrix[cold.rows].any()
    proposed = cold.propose(cold.rows)
    assert proposed.found.any()
    assert not np.isin(proposed.rows[proposed.found], cold.rows).any()


def test_the_same_lesson_grows_the_same_trees() -> None:
    past = split_of(checkerboard(N_ITEMS, n_baskets=2_000))
    assert past is not None
    assert (
        past.fit(PLACEMENT).columns()["trees"].tolist()
        == past.fit(PLACEMENT).columns()["trees"].tolist()
    )
