"""What every rule owes."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender import registry
from recommender.core.arrays import unit_rows
from recommender.core.catalogue import PATH_SEPARATOR, Catalogue
from recommender.core.context import RankingContext
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import PreparedFilter
from recommender.core.recipe import Choice
from recommender.core.vectors import ItemVectors
from recommender.errors import ConfigError
from tests.support.shops import catalogue, context, interactions

N_ITEMS = 15
RULES = sorted(registry.FILTERS)
VARIANTS = [
    *(Choice(name) for name in RULES),
    Choice("one-per-group", {"variant": "best-selling"}),
    Choice("same-category", {"level": 1, "unknown": "keep"}),
    Choice("other-category", {"level": 1}),
    Choice("same-brand", {"unknown": "keep"}),
    Choice("price-band", {"low": 0.0, "high": 0.9, "unknown": "keep"}),
    Choice("minimum-support", {"least": 2}),
    Choice("at-most-per-brand", {"most": 1}),
    Choice("at-most-per-category", {"most": 2, "level": 1}),
    Choice("diverse", {"cosine_max": 0.3}),
    Choice("not-alike", {"cosine_max": 0.2, "by": "vectors"}),
]
Block = tuple[np.ndarray, Neighbours, RankingContext]


@cache
def shop_of(seed: int) -> RankingContext:
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


def sieve(choice: Choice, shop: RankingContext) -> PreparedFilter:
    return registry.item_filter(choice).prepare(shop)


def left(choice: Choice, block: Block) -> Neighbours:
    queries, candidates, shop = block
    kept = sieve(choice, shop).keep(queries, candidates)
    return candidates.keep(kept, candidates.rows.shape[1])


def pairs(choice: Choice, block: Block) -> list[tuple[int, list[int], list[int]]]:
    """Each query with its candidates and with those that stay."""
    queries, candidates, _ = block
    kept = left(choice, block)
    return [
        (query, before[before != NONE].tolist(), after[after != NONE].tolist())
        for query, before, after in zip(queries.tolist(), candidates.rows, kept.rows, strict=True)
    ]


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=25)
@given(block=blocks_of_candidates())
def test_result_is_a_subset_in_the_same_order(choice: Choice, block: Block) -> None:
    queries, candidates, shop = block
    kept = sieve(choice, shop).keep(queries, candidates)
    assert kept.shape == candidates.rows.shape
    assert kept.dtype == bool
    assert not (kept & ~candidates.found).any()
    after = candidates.keep(kept, candidates.rows.shape[1])
    for before, rows, mask in zip(candidates.rows, after.rows, kept, strict=True):
        assert rows[rows != NONE].tolist() == before[mask].tolist()


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=25)
@given(block=blocks_of_candidates(), gone=st.sets(st.integers(0, N_ITEMS - 1)))
def test_each_part_of_what_stays_obeys_as_well(
    choice: Choice, block: Block, gone: set[int]
) -> None:
    """So entries may be hidden on read, and hubs be left out, and the rule still holds."""
    queries, _, shop = block
    kept = left(choice, block)
    width = kept.rows.shape[1]
    part = kept.keep(~np.isin(kept.rows, list(gone)), width)
    again = part.keep(sieve(choice, shop).keep(queries, part), width)
    assert (again.rows == part.rows).all()


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=25)
@given(block=blocks_of_candidates(), width=st.integers(1, N_ITEMS))
def test_what_stands_behind_changes_nothing_before(
    choice: Choice, block: Block, width: int
) -> None:
    """So a deeper search only adds to a list."""
    queries, candidates, shop = block
    first = candidates.keep_first(min(width, candidates.rows.shape[1]))
    whole = sieve(choice, shop).keep(queries, candidates)
    alone = sieve(choice, shop).keep(queries, first)
    assert (whole[:, : first.rows.shape[1]] == alone).all()


@pytest.mark.parametrize("choice", VARIANTS, ids=str)
@settings(max_examples=15)
@given(block=blocks_of_candidates())
def test_one_row_is_judged_as_in_a_block(choice: Choice, block: Block) -> None:
    queries, candidates, shop = block
    ready = sieve(choice, shop)
    whole = ready.keep(queries, candidates)
    last = Neighbours(candidates.rows[-1:], candidates.scores[-1:])
    assert (ready.keep(queries[-1:], last) == whole[-1:]).all()


@given(block=blocks_of_candidates())
def test_in_stock_keeps_just_what_can_be_bought(block: Block) -> None:
    for _, before, after in pairs(Choice("in-stock"), block):
        assert after == [row for row in before if row % 5]


@given(block=blocks_of_candidates())
def test_one_per_group_keeps_the_best_variant_of_other_products(block: Block) -> None:
    group = block[2].catalogue.group
    for query, before, after in pairs(Choice("one-per-group"), block):
        seen = {group[query]} - {""}
        expected = []
        for row in before:
            if group[row] not in seen:
                expected.append(row)
            seen |= {group[row]} - {""}
        assert after == expected


@given(block=blocks_of_candidates())
def test_variants_collapse_to_the_best_selling_one(block: Block) -> None:
    items, events = block[2].catalogue, block[2].interactions
    sold = np.bincount(events.item, minlength=N_ITEMS)
    members: dict[str, list[int]] = {}
    for row, name in enumerate(items.group):
        members.setdefault(name or f"alone {row}", []).append(row)
    best = {min(rows, key=lambda row: (row % 5 == 0, -sold[row], row)) for rows in members.values()}
    choice = Choice("one-per-group", {"variant": "best-selling"})
    for query, before, after in pairs(choice, block):
        own = items.group[query]
        assert after == [
            row for row in before if row in best and not (own and items.group[row] == own)
        ]


@given(block=blocks_of_candidates(), level=st.integers(0, 2))
def test_same_and_other_category_part_what_is_known(block: Block, level: int) -> None:
    def cut(row: int) -> str:
        parts = block[2].catalogue.category[row].split(PATH_SEPARATOR)
        return PATH_SEPARATOR.join(parts[:level] if level else parts)

    same = pairs(Choice("same-category", {"level": level}), block)
    lenient = pairs(Choice("same-category", {"level": level, "unknown": "keep"}), block)
    other = pairs(Choice("other-category", {"level": level}), block)
    for (query, before, after), (_, _, kept), (_, _, rest) in zip(
        same, lenient, other, strict=True
    ):
        shared = [row for row in before if cut(query) and cut(row) == cut(query)]
        assert after == shared
        assert kept == (shared if cut(query) else before)
        assert rest == [row for row in before if row not in shared]


@given(block=blocks_of_candidates())
def test_same_and_other_brand_part_what_is_known(block: Block) -> None:
    brand = block[2].catalogue.brand
    same, other = pairs(Choice("same-brand"), block), pairs(Choice("other-brand"), block)
    for (query, before, after), (_, _, rest) in zip(same, other, strict=True):
        shared = [row for row in before if brand[query] and brand[row] == brand[query]]
        assert after == shared
        assert rest == [row for row in before if row not in shared]


@given(block=blocks_of_candidates())
def test_price_band_is_relative_to_the_asking_item(block: Block) -> None:
    price = block[2].catalogue.price
    cheaper = Choice("price-band", {"low": 0.5, "high": 0.9})
    for query, before, after in pairs(cheaper, block):
        own = price[query]
        assert after == [
            row
            for row in before
            if own > 0 and price[row] > 0 and 0.5 * own <= price[row] <= 0.9 * own
        ]


@given(block=blocks_of_candidates(), least=st.integers(0, 3))
def test_minimum_support_counts_baskets(block: Block, least: int) -> None:
    events = block[2].interactions
    for _, before, after in pairs(Choice("minimum-support", {"least": least}), block):
        baskets = {row: len(set(events.basket[events.item == row].tolist())) for row in before}
        assert after == [row for row in before if baskets[row] >= least]


@given(block=blocks_of_candidates(), most=st.integers(1, 3))
def test_at_most_so_many_of_a_brand_and_no_fewer(block: Block, most: int) -> None:
    brand = block[2].catalogue.brand
    for _, before, after in pairs(Choice("at-most-per-brand", {"most": most}), block):
        for name in ("Acme", "Bolt"):
            named = [row for row in before if brand[row] == name]
            assert [row for row in after if brand[row] == name] == named[:most]
        assert [row for row in after if not brand[row]] == [row for row in before if not brand[row]]


@given(block=blocks_of_candidates(), most=st.integers(1, 3))
def test_at_most_so_many_of_a_top_category(block: Block, most: int) -> None:
    tops = [path.split(PATH_SEPARATOR)[0] for path in block[2].catalogue.category]
    choice = Choice("at-most-per-category", {"most": most, "level": 1})
    for _, before, after in pairs(choice, block):
        for name in ("Garden", "Home"):
            named = [row for row in before if tops[row] == name]
            assert [row for row in after if tops[row] == name] == named[:most]


@given(block=blocks_of_candidates(), cosine_max=st.sampled_from([0.0, 0.5, 0.9]))
def test_diverse_drops_just_what_is_near_to_an_entry_before(
    block: Block, cosine_max: float
) -> None:
    vectors = unit_rows(block[2].vectors.targets)
    near = vectors @ vectors.T > cosine_max
    for _, before, after in pairs(Choice("diverse", {"cosine_max": cosine_max}), block):
        expected: list[int] = []
        for row in before:
            if not near[row, expected].any():
                expected.append(row)
        assert after == expected


@given(block=blocks_of_candidates(), cosine_max=st.sampled_from([0.0, 0.5, 0.9]))
def test_not_alike_drops_just_what_is_near_to_the_asking_item(
    block: Block, cosine_max: float
) -> None:
    text = block[2].origins.content["text"].matrix
    for query, before, after in pairs(Choice("not-alike", {"cosine_max": cosine_max}), block):
        assert after == [row for row in before if text[query] @ text[row] <= cosine_max]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("same-category", {"level": -1}),
        ("other-category", {"level": -1}),
        ("at-most-per-category", {"level": -1}),
        ("at-most-per-category", {"most": 0}),
        ("at-most-per-brand", {"most": 0}),
        ("price-band", {"low": 2.0, "high": 1.0}),
        ("price-band", {"low": -1.0}),
        ("minimum-support", {"least": -1}),
        ("diverse", {"cosine_max": 1.5}),
        ("not-alike", {"cosine_max": -0.1}),
        ("one-per-group", {"variant": "cheapest"}),
        ("same-brand", {"unknown": "maybe"}),
        ("one-way", {"dearer": 0.0}),
        ("one-way", {"leads_below": -1.0}),
    ],
)
def test_parameters_that_may_not_be(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.item_filter(Choice(name, parameters))
