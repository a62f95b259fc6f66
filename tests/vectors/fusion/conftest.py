"""The shop of partner words, and the learned fusion fitted to it."""

import pytest

from recommender.vectors.fusion.learned import Learned
from recommender.vectors.fusion.towers import FittedTowers
from tests.vectors.fusion.partner_shop import Shop, made_shop


@pytest.fixture(scope="module")
def shop() -> Shop:
    return made_shop()


@pytest.fixture(scope="module")
def fitted(shop: Shop) -> FittedTowers:
    return Learned().fuse(*shop)
