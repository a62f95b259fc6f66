"""What every ranker owes."""

import numpy as np
import pytest

from recommender import registry
from recommender.core.interactions import Interactions
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import FittedRanker, Ranker, RankingContext
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.core.telemetry import silent
from recommender.core.vectors import ItemVectors
from recommender.ranking.rankers.affinity import Complements
from recommender.ranking.rankers.identity import Identity
from recommender.ranking.rankers.learned import LearnedRanker
from recommender.ranking.training_set import TemporalSplit
from tests.support.shops import catalogue, context, interactions

N_ITEMS, N_BASKETS = 60, 3_000


def dated_shop() -> Interactions:
    """Baskets over ninety days, whose items share their number modulo six; popularity falls."""
    rng = np.random.default_rng(3)
    baskets = []
    for number in range(N_BASKETS):
        pool = np.arange(number % 6, N_ITEMS, 6)
        weights = 1 / (1 + np.arange(len(pool)))
        size = int(rng.integers(2, 5))
        baskets.append(rng.choice(pool, size, replace=False, p=weights / weights.sum()).tolist())
    made = interactions(baskets, N_ITEMS)
    made_at = 1_700_000_000 + made.basket.astype(np.int64) * 90 * 86_400 // N_BASKETS
    return Interactions(
        **{
            name: getattr(made, name)
            for name in ("n_items", "item", "basket", "session", "user", "kind", "kinds")
        },
        time=made_at,
        weights=made.weights,
        users=made.users,
    )


@pytest.fixture(scope="module")
def shop() -> RankingContext:
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(N_ITEMS, 8)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return context(ItemVectors(matrix, matrix), dated_shop(), catalogue(N_ITEMS))


@pytest.fixture(scope="module", params=sorted(registry.RANKERS))
def ranker(request: pytest.FixtureRequest) -> Ranker:
    return registry.ranker(Choice(request.param))


@pytest.fixture(scope="module")
def fitted(ranker: Ranker, shop: RankingContext) -> FittedRanker:
    """Fitted to the shop's own past, where the ranker learns."""
    placement = Placement(
        "related",
        Choice("concatenation", {"weights": {"text": 1.0}}),
        candidates=(Choice("nearest"), Choice("co-occurrence"), Choice("text-back-off")),
        ranker=Choice(next(n for n in registry.RANKERS if registry.ranker(Choice(n)) == ranker)),
        shown=1,
        depth=5,
    )
    recipe = Recipe({"text": Choice("hashing")}, {}, Choice("exact"), (placement,))
    if not ranker.learns:
        return ranker.fit(None)
    past = TemporalSplit.of(
        recipe,
        shop.catalogue,
        shop.interactions,
        shop.origins.content,
        shop.near_by_content,
        silent,
    )
    assert past is not None
    return past.fit(placement)


def candidates(shop: RankingContext, rows: np.ndarray) -> Neighbours:
    rng = np.random.default_rng(1)
    found = np.stack([rng.permutation(N_ITEMS)[:20] for _ in rows]).astype(np.int32)
    found[-1, 2:] = NONE
    return Neighbours.ordered(found, shop.vectors.inner(rows, found))


ROWS = np.array([4, 11, 30], dtype=np.int32)


def test_the_same_candidates_with_falling_scores_up_to_one(
    fitted: FittedRanker, shop: RankingContext
) -> None:
    asked = candidates(shop, ROWS)
    ranked = fitted.prepare(shop).rank(ROWS, asked)
    assert (np.sort(ranked.rows, axis=1) == np.sort(asked.rows, axis=1)).all()
    for scores, found in zip(ranked.scores, ranked.found, strict=True):
        assert not found[found.sum() :].any()
        assert (np.diff(scores[found]) <= 0).all()
        assert ((scores[found] > 0) & (scores[found] <= 1)).all()


def test_one_row_is_ranked_like_a_block(fitted: FittedRanker, shop: RankingContext) -> None:
    asked = candidates(shop, ROWS)
    order = fitted.prepare(shop)
    alone = order.rank(ROWS[1:2], Neighbours(asked.rows[1:2], asked.scores[1:2]))
    assert (alone.rows == order.rank(ROWS, asked).rows[1:2]).all()


def test_columns_lead_back_to_the_same_order(
    ranker: Ranker, fitted: FittedRanker, shop: RankingContext
) -> None:
    asked = candidates(shop, ROWS)
    again = ranker.load(fitted.columns()).prepare(shop).rank(ROWS, asked)
    assert (again.rows == fitted.prepare(shop).rank(ROWS, asked).rows).all()


def test_without_a_lesson_vectors_decide(ranker: Ranker, shop: RankingContext) -> None:
    if not isinstance(ranker, Identity | LearnedRanker):
        pytest.skip("it counts, and asks no vectors")
    asked = candidates(shop, ROWS)
    assert (ranker.fit(None).prepare(shop).rank(ROWS, asked).rows == asked.rows).all()


def test_nothing_to_rank(fitted: FittedRanker, shop: RankingContext) -> None:
    nothing = Neighbours(np.full((2, 3), NONE, np.int32), np.full((2, 3), -np.inf, np.float32))
    assert not fitted.prepare(shop).rank(ROWS[:2], nothing).found.any()


def test_what_is_bought_together_comes_first_where_behaviour_decides(
    ranker: Ranker, fitted: FittedRanker, shop: RankingContext
) -> None:
    rows = np.arange(N_ITEMS, dtype=np.int32)
    asked = candidates(shop, rows)
    ranked = fitted.prepare(shop).rank(rows[:-1], Neighbours(asked.rows[:-1], asked.scores[:-1]))
    together = (ranked.rows % 6 == rows[:-1, None] % 6).astype(float)
    n_together = together.sum(axis=1).astype(int)
    first = np.mean([together[place, :n].mean() for place, n in enumerate(n_together) if n])
    assert first > 0.8 if isinstance(ranker, LearnedRanker | Complements) else first < 0.4
