"""The filters of a placement: its recipe's, and the two that hold for every list."""

import numpy as np
import scipy.sparse as sp

from recommender import registry
from recommender.core.arrays import Rows
from recommender.core.catalogue import title_codes
from recommender.core.protocols import PreparedFilter, RankingContext
from recommender.core.recipe import Placement
from recommender.ranking.filters.eligibility import EligibleItems, GroupFilter

NOT_FOR_SALE, SAME_TITLE = "not-for-sale", "same-title"
LEAST_PAIRS = 10
PLACEHOLDER_SHARE = 0.5
"""A title of more than this share of the items names none of them."""


def filters_of(
    placement: Placement, context: RankingContext, *, facts_alone: bool = False
) -> tuple[PreparedFilter, ...]:
    """Make the filters of a placement's lists ready, in the order in which they apply.

    Items that are not for sale are in no list, whatever the recipe. Of the entries that the recipe
    keeps, the best of each title stays, and none has the title of the query item, unless the
    placement says otherwise or items of one title are bought together. With `facts_alone`, filters
    by similarity are left out.
    """
    catalogue = context.catalogue
    of_recipe = [registry.item_filter(choice) for choice in placement.filters]
    return (
        EligibleItems(catalogue.for_sale),
        *(one.prepare(context) for one in of_recipe if not (facts_alone and one.by_similarity)),
        *(_one_per_title(context) if placement.one_per_title else ()),
    )


def _one_per_title(context: RankingContext) -> tuple[GroupFilter, ...]:
    codes = title_codes(context.catalogue)
    common = np.bincount(codes)[codes] > PLACEHOLDER_SHARE * len(codes)
    own = int(codes.max(initial=-1)) + 1 + np.arange(len(codes), dtype=np.int32)
    codes = np.where(common, own, codes)
    if len(np.unique(codes)) == len(codes):
        return ()
    if bought_together(codes, context.rates(half_life_days=np.inf).units):
        return ()
    return (GroupFilter(codes, np.ones(len(codes), dtype=bool)),)


def bought_together(codes: Rows, units: sp.csr_array) -> bool:
    """Whether different items of one code (n,) share units (u, n) more often than by chance.

    Nobody buys one product twice under two ids; two yoghurts of one title are two flavours. By
    chance, the items of a unit are drawn by how often each is in one. Fewer than ten such pairs
    say nothing.
    """
    sizes = np.diff(units.indptr).astype(np.float64)
    lines = np.bincount(units.indices, minlength=len(codes)).astype(np.float64)
    unit_of = np.repeat(np.arange(len(sizes), dtype=np.int64), np.diff(units.indptr))
    shared = (np.bincount(codes) > 1)[codes[units.indices]]
    keys = unit_of[shared] * (int(codes.max(initial=0)) + 1) + codes[units.indices[shared]]
    _, counts = np.unique(keys, return_counts=True)
    pairs = float((counts * (counts - 1.0)).sum() / 2)
    of_codes = np.bincount(codes, lines)
    total = max(float(lines.sum()), 1.0)
    chance = float((of_codes**2).sum() - (lines**2).sum()) / total**2
    expected = float((sizes * (sizes - 1)).sum() / 2) * chance
    return pairs >= LEAST_PAIRS and pairs > expected
