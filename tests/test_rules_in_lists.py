"""Rules at work in whole lists: full wherever the catalogue allows, and each drop accounted for."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext
from recommender.core.recipe import Choice, Placement
from recommender.core.vectors import ItemVectors
from recommender.ranking.chooser import Chooser, choose_rows, prepare, stages_of
from recommender.ranking.evidence import EvidenceScale
from recommender.ranking.rankers.identity import Identity
from recommender.vectors.index.exact import Exact
from tests.contracts.test_filters import VARIANTS
from tests.support.shops import catalogue, context, interactions

N_ITEMS = 120
DEPTHS = st.sampled_from([1, 3, 10, 40])


@cache
def shop_of(seed: int) -> RankingContext:
    rng = np.random.default_rng(seed)

    def texts(*values: str) -> tuple[str, ...]:
        return tuple(rng.choice(values, N_ITEMS).tolist())

    items = dataclasses.replace(
        catalogue(N_ITEMS, group=texts("", "", "a", "b", "c")),
        brand=texts("", "Acme", "Bolt", "Crux"),
        category=texts("", "Garden > Hoses", "Garden > Pots", "Home > Pots"),
        price=rng.choice([1.0, 1.8, 2.0, 3.0, np.nan], N_ITEMS).astype(np.float32),
    )
    baskets = [rng.choice(N_ITEMS, int(size), replace=False) for size in rng.integers(1, 6, 60)]
    matrix = rng.normal(size=(N_ITEMS, 6)).astype(np.float32)
    vectors = ItemVectors(matrix, matrix, bound=99)
    events = interactions([basket.tolist() for basket in baskets], N_ITEMS)
    return context(vectors, events, items)


def chooser_of(
    shop: RankingContext, rules: tuple[Choice, ...], depth: int, min_score: float
) -> Chooser:
    placement = Placement(
        "related", Choice("gated"), filters=rules, shown=1, depth=depth, min_score=min_score
    )
    return prepare(placement, shop, Exact().build(shop.vectors.targets), Identity())


def everything(chooser: Chooser, shop: RankingContext) -> Neighbours:
    """All other items of every item, best first."""
    rows = np.arange(N_ITEMS, dtype=np.int32)
    found = Exact().build(shop.vectors.targets).search(shop.vectors.queries, N_ITEMS)
    return chooser.scorer.rank(rows, found.keep(found.rows != rows[:, None], N_ITEMS - 1))


@pytest.mark.parametrize("rule", VARIANTS, ids=str)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 4), depth=DEPTHS)
def test_a_list_is_what_the_rule_leaves_of_the_whole_catalogue(
    rule: Choice, seed: int, depth: int
) -> None:
    """So n entries are met whenever the catalogue allows."""
    shop = shop_of(seed)
    chooser = chooser_of(shop, (rule,), depth, 0.0)
    rows = np.arange(N_ITEMS, dtype=np.int32)
    ranked = everything(chooser, shop)
    expected = ranked.keep(chooser.filters[1].keep(rows, ranked), depth)
    assert (chooser.choose(rows).rows == expected.rows).all()


@pytest.mark.parametrize("rule", VARIANTS, ids=str)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 4), depth=DEPTHS)
def test_best_sellers_behind_a_list_obey_its_rule(rule: Choice, seed: int, depth: int) -> None:
    shop = shop_of(seed)
    chooser = chooser_of(shop, (rule,), depth, 0.5)
    scale = EvidenceScale.measured(shop.origins)
    (made,) = choose_rows(chooser, scale, range(N_ITEMS), lambda _: None)
    rows, lists = np.arange(N_ITEMS, dtype=np.int32), made.entries.neighbours
    assert (chooser.filters[1].keep(rows, lists) == lists.found).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 4),
    rules=st.lists(st.sampled_from(VARIANTS), max_size=4),
    depth=DEPTHS,
    row=st.integers(0, N_ITEMS - 1),
    min_score=st.sampled_from([0.0, 0.01]),
)
def test_a_trail_accounts_for_every_candidate(
    seed: int, rules: list[Choice], depth: int, row: int, min_score: float
) -> None:
    shop = shop_of(seed)
    chooser = chooser_of(shop, tuple(rules), depth, min_score)
    asked = np.array([row], dtype=np.int32)
    chosen = chooser.chosen(asked, EvidenceScale.measured(shop.origins))
    own = chooser.choose(asked)
    entries = own.rows[own.found].tolist()
    assert chosen.own.tolist() == [len(entries)]
    assert chosen.entries.rows[0, : len(entries)].tolist() == entries
    trail = chooser.trail(row)
    ranked = trail.ranked.rows[trail.ranked.found].tolist()
    left = [other for other in ranked if other not in trail.dropped]
    assert entries == left[:depth]
    for (name, proposed), source in zip(trail.proposed, ["nearest"], strict=True):
        assert name == source
        assert set(ranked) == set(proposed.tolist()) - {row, NONE}
    if len(entries) < depth:
        for name in set(stages_of(chooser.placement)):
            places = [k for k, one in enumerate(stages_of(chooser.placement)) if one == name]
            counted = int(chosen.dropped[0, places].sum())
            assert counted == sum(reason == name for reason in trail.dropped.values())
