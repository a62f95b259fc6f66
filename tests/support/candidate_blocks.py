"""Candidate generators and filters by name, and blocks of candidates in small random shops."""

import dataclasses
from functools import cache

import numpy as np
from hypothesis import strategies as st

from recommender import registry
from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import PreparedFilter, PreparedGenerator, RankingContext
from recommender.core.recipe import Choice
from recommender.core.vectors import ItemVectors
from recommender.vectors.index.exact import Exact
from tests.support.shops import catalogue, context, interactions

N_ITEMS = 15
Block = tuple[np.ndarray, Neighbours, RankingContext]
"""The rows of the query items, their candidates, and the shop."""


@cache
def shop_of(seed: int) -> RankingContext:
    """A shop with groups, brands, categories and prices, some of them unknown."""
    rng = np.random.default_rng(seed)

    def texts(*values: str) -> tuple[str, ...]:
        return tuple(rng.choice(values, N_ITEMS).tolist())

    items: Catalogue = dataclasses.replace(
        catalogue(N_ITEMS, group=texts("", "a", "b", "c")),
        brand=texts("", "Acme", "Bolt"),
        category=texts("", "Garden", "Garden > Hoses", "Garden > Pots", "Home > Pots"),
        price=rng.choice([0.0, 1.0, 1.8, 2.0, 3.0, np.nan], N_ITEMS).astype(np.float32),
    )
    baskets = [rng.choice(N_ITEMS, int(size), replace=False) for size in rng.integers(1, 5, 8)]
    targets = rng.normal(size=(N_ITEMS, 3)).astype(np.float32)
    events = interactions([basket.tolist() for basket in baskets], N_ITEMS)
    return context(ItemVectors(targets, targets, bound=99), events, items)


@st.composite
def blocks_of_candidates(draw: st.DrawFn) -> Block:
    """One to four query items with up to fourteen candidates each."""
    queries = draw(st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=4))
    widths = draw(st.lists(st.integers(0, N_ITEMS - 1), min_size=4, max_size=4))
    seed = draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    width = max(1, *widths[: len(queries)])
    rows = np.full((len(queries), width), NONE, dtype=np.int32)
    scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
    for place, query in enumerate(queries):
        found = rng.permutation([row for row in range(N_ITEMS) if row != query])[: widths[place]]
        rows[place, : len(found)] = found
        scores[place, : len(found)] = np.linspace(1, 0.1, len(found))
    return np.array(queries, dtype=np.int32), Neighbours(rows, scores), shop_of(seed % 20)


def prepared_filter(choice: Choice, shop: RankingContext) -> PreparedFilter:
    """The filter of that name in a shop."""
    return registry.item_filter(choice).prepare(shop)


def left(choice: Choice, block: Block) -> Neighbours:
    """The candidates that a filter keeps."""
    queries, candidates, shop = block
    kept = prepared_filter(choice, shop).keep(queries, candidates)
    return candidates.keep(kept, candidates.rows.shape[1])


def pairs(choice: Choice, block: Block) -> list[tuple[int, list[int], list[int]]]:
    """Each query with its candidates and with those that stay."""
    queries, candidates, _ = block
    kept = left(choice, block)
    return [
        (query, before[before != NONE].tolist(), after[after != NONE].tolist())
        for query, before, after in zip(queries.tolist(), candidates.rows, kept.rows, strict=True)
    ]


def prepared_generator(choice: Choice, shop: RankingContext) -> PreparedGenerator:
    """The candidate generator of that name in a shop, with an exact index."""
    index = Exact().build(shop.vectors.targets)
    return registry.candidate_generator(choice).prepare(shop, index)
