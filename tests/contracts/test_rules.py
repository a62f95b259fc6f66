"""What every rule owes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender import registry
from recommender.catalogue import Catalogue
from recommender.neighbours import NONE, Neighbours
from recommender.recipe import Choice
from tests.shops import catalogue

N_ITEMS = 15
RULES = sorted(registry.RULES)


@st.composite
def blocks_of_candidates(draw: st.DrawFn) -> tuple[np.ndarray, Neighbours, Catalogue]:
    groups = draw(
        st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=N_ITEMS, max_size=N_ITEMS)
    )
    queries = draw(st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=4))
    width = draw(st.integers(1, N_ITEMS))
    rows = np.full((len(queries), width), NONE, dtype=np.int32)
    scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
    for place, query in enumerate(queries):
        others = [row for row in range(N_ITEMS) if row != query]
        found = draw(st.permutations(others))[: draw(st.integers(0, width))]
        rows[place, : len(found)] = found
        scores[place, : len(found)] = np.linspace(1, 0.1, len(found))
    items = catalogue(N_ITEMS, group=tuple(groups))
    return np.array(queries, dtype=np.int32), Neighbours(rows, scores), items


@pytest.mark.parametrize("name", RULES)
@given(block=blocks_of_candidates())
def test_result_is_a_subset_in_the_same_order(
    name: str, block: tuple[np.ndarray, Neighbours, Catalogue]
) -> None:
    queries, candidates, items = block
    kept = registry.rule(Choice(name)).keep(queries, candidates, items)
    assert kept.shape == candidates.rows.shape
    assert not (kept & ~candidates.found).any()
    left = candidates.keep(kept, candidates.rows.shape[1])
    for before, after, mask in zip(candidates.rows, left.rows, kept, strict=True):
        assert after[after != NONE].tolist() == before[mask].tolist()


@pytest.mark.parametrize("name", RULES)
@given(block=blocks_of_candidates())
def test_keeping_twice_changes_nothing(
    name: str, block: tuple[np.ndarray, Neighbours, Catalogue]
) -> None:
    queries, candidates, items = block
    rule = registry.rule(Choice(name))
    width = candidates.rows.shape[1]
    once = candidates.keep(rule.keep(queries, candidates, items), width)
    twice = once.keep(rule.keep(queries, once, items), width)
    assert (once.rows == twice.rows).all()


@given(block=blocks_of_candidates())
def test_in_stock_keeps_just_what_can_be_bought(
    block: tuple[np.ndarray, Neighbours, Catalogue],
) -> None:
    queries, candidates, items = block
    kept = registry.rule(Choice("in-stock")).keep(queries, candidates, items)
    for rows, mask in zip(candidates.rows, kept, strict=True):
        for row, keep in zip(rows.tolist(), mask.tolist(), strict=True):
            assert keep == (row != NONE and row % 5 != 0)


@given(block=blocks_of_candidates())
def test_one_per_group_keeps_the_best_variant_of_other_products(
    block: tuple[np.ndarray, Neighbours, Catalogue],
) -> None:
    queries, candidates, items = block
    kept = registry.rule(Choice("one-per-group")).keep(queries, candidates, items)
    for query, rows, mask in zip(queries, candidates.rows, kept, strict=True):
        seen = {items.group[query]} - {""}
        for row, keep in zip(rows.tolist(), mask.tolist(), strict=True):
            group = "" if row == NONE else items.group[row]
            assert keep == (row != NONE and group not in seen)
            seen |= {group} - {""}
