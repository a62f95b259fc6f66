import pytest

from recommender.errors import GateHeld
from recommender.gates import Gates
from recommender.generation import Generation

LIVE = Generation(7, "complete", 0, "digest", "key", 1000, 1000, 36000, role="live")


def test_first_build_and_like_sized_builds_pass() -> None:
    Gates().check(n_items=3, filled_share=1.0, live=None)
    Gates().check(n_items=500, filled_share=0.5, live=LIVE)
    Gates().check(n_items=1, filled_share=0.0, live=None)


def test_shrunk_catalogue_is_held() -> None:
    with pytest.raises(GateHeld, match=r"499 items, the live generation 7 has 1,000.*--force"):
        Gates().check(n_items=499, filled_share=1.0, live=LIVE)
    Gates(items_share_min=0).check(n_items=1, filled_share=1.0, live=LIVE)


def test_empty_lists_are_held() -> None:
    with pytest.raises(GateHeld, match=r"only 49% of the lists have an entry"):
        Gates().check(n_items=1000, filled_share=0.49, live=None)
