"""The filters of a placement: its recipe's, and the two that hold for every list."""

import numpy as np

from recommender import registry
from recommender.core.catalogue import Catalogue, title_codes
from recommender.core.protocols import PreparedFilter, RankingContext
from recommender.core.recipe import Placement
from recommender.ranking.filters.eligibility import EligibleItems, GroupFilter

NOT_FOR_SALE, SAME_TITLE = "not-for-sale", "same-title"


def filters_of(
    placement: Placement, context: RankingContext, *, facts_alone: bool = False
) -> tuple[PreparedFilter, ...]:
    """Make the filters of a placement's lists ready, in the order in which they apply.

    Items that are not for sale are in no list, whatever the recipe. Of the entries that the recipe
    keeps, the best of each title stays, and none has the title of the query item, unless the
    placement says otherwise. With `facts_alone`, filters by similarity are left out.
    """
    catalogue = context.catalogue
    of_recipe = [registry.item_filter(choice) for choice in placement.filters]
    return (
        EligibleItems(catalogue.for_sale),
        *(one.prepare(context) for one in of_recipe if not (facts_alone and one.by_similarity)),
        *([_one_per_title(catalogue)] if placement.one_per_title else []),
    )


def _one_per_title(catalogue: Catalogue) -> GroupFilter:
    return GroupFilter(title_codes(catalogue), np.ones(len(catalogue), dtype=bool))
