"""A generation in memory is what is served."""

from recommender.console.live_shop import LiveShop
from recommender.console.loaded import load_lists


def test_words_are_searched_before_the_model_is_loaded(shop: LiveShop) -> None:
    loaded = shop.seen().loaded
    assert loaded is not None
    by_words = load_lists(loaded.live)
    assert not by_words.by_meaning
    assert [hit.item for hit in by_words.searcher.find("green chair", 5)][:1] == ["plain-1"]
    assert {hit.fit for hit in by_words.searcher.find("green chair", 5)} == {"words"}


def test_lists_and_listings_hold_the_same_entries(shop: LiveShop) -> None:
    loaded = shop.seen().loaded
    assert loaded is not None
    served = loaded.placements["related"]
    for row in range(len(loaded.catalogue)):
        found = served.listings.slice_of(row)
        for owner, rank in zip(
            served.listings.owners[found], served.listings.ranks[found], strict=True
        ):
            assert served.lists.of(int(owner)).rows[int(rank) - 1] == row
    assert loaded.support.max() > 0
