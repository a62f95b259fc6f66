"""The other way round of related lists."""

import numpy as np

from recommender.core.lists import Entries, RelatedLists
from recommender.insights.listings import Listings


def test_listings_name_the_lists_of_each_item_best_rank_first() -> None:
    lists = RelatedLists(
        "related",
        np.array([0, 2, 3, 5]),
        Entries(
            np.array([1, 2, 2, 1, 0], dtype=np.int32),
            np.array([0.9, 0.8, 0.7, 0.6, 0.5], dtype=np.float32),
            np.zeros(5, dtype=np.uint8),
        ),
    )
    listings = Listings.of(lists)
    assert listings.counts.tolist() == [1, 2, 2]
    found = listings.slice_of(2)
    assert listings.owners[found].tolist() == [1, 0]
    assert listings.ranks[found].tolist() == [1, 2]
    assert lists.entries.scores[listings.places[found]].tolist() == [
        np.float32(0.7),
        np.float32(0.8),
    ]
