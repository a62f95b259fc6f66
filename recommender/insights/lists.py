"""Lists that look wrong: items that stand in too many, and items that stand in none."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import Catalogue
from recommender.core.lists import RelatedLists, ranks_of
from recommender.core.related import EVIDENCE
from recommender.insights.finding import Finding

HUB_SHARE, HUB_FACTOR = 0.02, 20.0
_POPULAR = EVIDENCE.index("popular")


def list_findings(lists: RelatedLists, catalogue: Catalogue, shown: int) -> Iterator[Finding]:
    """Hubs among the first `shown` entries, and items in stock that stand in no list at all.

    A hub stands in 2 % of the lists and in twenty times as many as the mean item; best sellers
    behind short lists do not count as entries.
    """
    entries = lists.entries
    own = entries.evidence != _POPULAR
    n_items = len(lists)
    seen = np.bincount(entries.rows[own & (ranks_of(lists.sizes) < shown)], minlength=n_items)
    usual = max(float(seen.mean()), 1e-9)
    for row in np.flatnonzero(seen >= max(HUB_SHARE * n_items, HUB_FACTOR * usual)).tolist():
        detail = f"in {seen[row]:,} lists ({seen[row] / n_items:.0%}), the mean is {usual:.0f}"
        yield Finding("hub", row, f"{lists.placement}: {detail}")
    standing = np.bincount(entries.rows, minlength=n_items) > 0
    for row in np.flatnonzero(~standing & catalogue.in_stock).tolist():
        yield Finding("orphan", row, f"{lists.placement}: in no list")


def unseen(support: NDArray[np.float32], catalogue: Catalogue, newest: int) -> Iterator[Finding]:
    """Items that nobody bought or saw, but for those that are on sale only after `newest`."""
    waiting = catalogue.available_from > newest
    for row in np.flatnonzero((support == 0) & ~waiting).tolist():
        yield Finding("no-events", row, "no event that counts")
