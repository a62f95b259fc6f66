"""The harness: nothing is learned from the test period, and all systems get the same queries."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from recommender.core.interactions import DAY_S, Interactions
from recommender.core.recipe import Recipe
from recommender.errors import ConfigError
from recommender.evaluation import harness
from recommender.evaluation.experiments import evaluate_baselines
from recommender.evaluation.harness import EvaluationPlan
from tests.evaluation.small_harness import N_ITEMS, events, prepared


def noisy(shop: Interactions) -> Interactions:
    """The shop with every test-period basket replaced by noise."""
    rng = np.random.default_rng(3)
    tested = shop.time >= 8 * DAY_S
    noise = rng.integers(0, N_ITEMS, len(shop)).astype(np.int32)
    changed = replace(
        shop,
        item=np.where(tested, noise, shop.item),
        user=np.where(tested, rng.permutation(shop.user), shop.user),
        time=np.where(tested, shop.time + rng.integers(0, DAY_S, len(shop)), shop.time),
    )
    assert (changed.item != shop.item).any()
    return changed


def learned(shop: Interactions, recipe: Recipe) -> Iterator[bytes]:
    """Whatever is learned on a harness of the shop, as bytes."""
    made = prepared(shop)
    for fold in (made.window.train, *(fold.train for fold in made.folds)):
        yield from (column.tobytes() for column in fold.columns().values())
        for lists in made.builder(recipe)(fold, None).values():
            yield lists.rows.tobytes() + lists.scores.tobytes()
    yield from (one.top.tobytes() for one in evaluate_baselines(made, recipe)[0])
    yield made.beyond.support.tobytes()


def test_noise_in_the_test_period_changes_nothing_that_is_learned(recipe: Recipe) -> None:
    shop = events()
    clean, disturbed = list(learned(shop, recipe)), list(learned(noisy(shop), recipe))
    assert clean == disturbed
    assert len(clean) > 20


def test_the_test_period_is_what_is_asked(recipe: Recipe) -> None:
    clean, disturbed = prepared(events()), prepared(noisy(events()))
    assert clean.queries.relevant.tolist() != disturbed.queries.relevant.tolist()
    assert clean.evaluate(recipe).ndcg().value > 0.3
    assert disturbed.evaluate(recipe).ndcg().value < 0.2


@pytest.mark.parametrize("seen_by", ["window", "history"])
def test_next_items_are_never_learned_from(recipe: Recipe, seen_by: str) -> None:
    made = prepared(events(), "next-item")
    train = made.window.train
    assert train.time.max() < made.window.start
    if seen_by == "history":
        history = made.task.history  # type: ignore[attr-defined]
        relevant = made.queries
        for user in range(len(relevant)):
            answer = relevant.relevant[relevant.offsets[user] : relevant.offsets[user + 1]]
            assert not np.isin(answer, history.item[history.user == user]).any()
    assert made.evaluate(recipe).slices["all"].n == len(made.queries) > 100


def test_a_recipe_is_evaluated_in_any_of_its_placements(recipe: Recipe) -> None:
    second = replace(recipe.placements[0], name="second", depth=12)
    two = replace(recipe, placements=(*recipe.placements, second))
    made = prepared(events())
    assert made.evaluate(two).name == "related"
    assert made.evaluate(two, "second").name == "second"
    with pytest.raises(ConfigError, match="the recipe has related, second"):
        made.evaluate(two, "third")


def test_external_lists_are_evaluated_as_built_ones(recipe: Recipe) -> None:
    made = prepared(events())
    lists = made.builder(recipe)(made.window.train, None)["related"]
    ours, same = made.evaluate(recipe), made.evaluate_lists("same", lists)
    assert same.slices["all"] == ours.slices["all"]
    assert same.lists == ours.lists
    difference = made.differences(ours, same)
    assert difference["all"].low == difference["all"].high == 0
    assert "simulated cold" in ours.slices
    assert "simulated cold" not in same.slices
    assert "simulated cold" not in difference


def test_validation_windows_move_back_and_the_test_period_does_not() -> None:
    newest = 100 * DAY_S - 1
    assert EvaluationPlan().period(newest) == (70 * DAY_S, 30)
    assert EvaluationPlan(back=2).period(newest) == (10 * DAY_S, 30)
    assert EvaluationPlan(test=True, test_from=90 * DAY_S).period(newest) == (100 * DAY_S, 10)
    with pytest.raises(ConfigError, match="cannot be moved back"):
        EvaluationPlan(test=True, back=1)


@pytest.mark.parametrize("hub_share", [0.0, 0.2])
def test_only_items_that_ask_in_a_cold_fold_get_lists(recipe: Recipe, hub_share: float) -> None:
    placements = tuple(replace(one, hub_share=hub_share) for one in recipe.placements)
    build = prepared(events()).builder(replace(recipe, placements=placements))
    train = prepared(events()).window.train
    asking = np.arange(1, N_ITEMS, 3, dtype=np.int32)
    whole, some = build(train, None)["related"], build(train, asking)["related"]
    assert not np.delete(some.found, asking, axis=0).any()
    assert some.found[asking].sum(axis=1).min() > 0
    if not hub_share:
        assert np.array_equal(some.rows[asking], whole.rows[asking])
        assert np.array_equal(some.scores[asking], whole.scores[asking])


def test_no_further_fold_is_made_where_cold_items_ask_often_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(prepared(events()).folds) > 1
    monkeypatch.setattr(harness, "COLD_QUERIES", 1)
    (only,) = prepared(events()).folds
    assert len(only.queries) > 0
