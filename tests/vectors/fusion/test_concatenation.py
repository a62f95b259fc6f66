"""Concatenation: the score is a weighted mean of cosines."""

import numpy as np
import pytest

from recommender.core.arrays import ROWS_AT_ONCE, unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.vectors import Embeddings, Origins
from recommender.errors import ConfigError
from recommender.vectors.fusion.concatenation import Concatenation, side_by_side
from tests.support.shops import catalogue, interactions, text_and_orders

Shop = tuple[Origins, Catalogue, Interactions]
N_ITEMS = 30


@pytest.fixture(scope="module")
def shop() -> Shop:
    """Two origins of content that know every item, of different widths."""
    rng = np.random.default_rng(0)
    known = np.ones(N_ITEMS, dtype=np.float32)
    content = {
        name: Embeddings(unit_rows(rng.normal(size=(N_ITEMS, width)).astype(np.float32)), known)
        for name, width in (("text", 5), ("image", 3))
    }
    return Origins(content), catalogue(N_ITEMS), interactions([], N_ITEMS)


@pytest.mark.parametrize(
    ("weights", "shares"),
    [({}, (0.5, 0.5)), ({"text": 3.0, "image": 1.0}, (0.75, 0.25)), ({"image": 0.1}, (0.0, 1.0))],
)
def test_a_score_is_the_weighted_mean_of_cosines(
    shop: Shop, weights: dict[str, float], shares: tuple[float, float]
) -> None:
    vectors = Concatenation(weights).fuse(*shop).apply(shop[0], shop[1])
    cosines = [one.matrix @ one.matrix.T for one in shop[0].content.values()]
    expected = sum(share * cosine for share, cosine in zip(shares, cosines, strict=True))
    assert vectors.queries @ vectors.targets.T == pytest.approx(expected, abs=1e-5)


def test_only_the_ratio_of_weights_counts(shop: Shop) -> None:
    one, other = (
        Concatenation({"text": scale, "image": 3 * scale}).fuse(*shop).shares for scale in (1, 50)
    )
    assert one == pytest.approx(other)
    assert sum(one.values()) == pytest.approx(1)


def test_an_item_that_one_origin_does_not_know_has_length_one_and_of_none_zero() -> None:
    shop = text_and_orders(20, 2)
    vectors = Concatenation().fuse(*shop).apply(shop[0], shop[1])
    lengths = np.linalg.norm(vectors.queries, axis=1)
    assert lengths == pytest.approx(np.ones(20))
    nothing = {
        name: Embeddings(np.zeros((20, 2), np.float32), np.zeros(20, np.float32))
        for name in ("text", "orders")
    }
    assert not Concatenation().fuse(*shop).apply(Origins(nothing), shop[1]).queries.any()


def test_columns_do_not_depend_on_the_order_in_which_weights_are_written(shop: Shop) -> None:
    weights = {"text": 3.0, "image": 1.0}
    columns = Concatenation(weights).fuse(*shop).columns()
    assert columns["shares"].tolist() == [0.25, 0.75]
    turned = Concatenation(dict(reversed(weights.items())))
    assert turned.load(columns, shop[0]).shares == weights | {"text": 0.75, "image": 0.25}


def test_an_absent_origin_is_named_with_those_there_are(shop: Shop) -> None:
    with pytest.raises(ConfigError, match="no embeddings 'sound'; there are text, image"):
        Concatenation({"text": 1.0, "sound": 1.0}).fuse(*shop)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_are_above_zero(weight: float) -> None:
    with pytest.raises(ConfigError, match=f"weight of text = {weight} is not above 0"):
        Concatenation({"text": weight})


def test_parts_are_joined_over_the_edges_of_blocks() -> None:
    n = ROWS_AT_ONCE + 3
    one = np.arange(n, dtype=np.float32)[:, None]
    weight = np.full(n, 2, dtype=np.float32)
    joined = side_by_side([(weight, one), (np.ones(n, np.float32), one + np.array([[1, 2]]))])
    assert joined.shape == (n, 3)
    assert joined.dtype == np.float32
    assert (joined == one * [2, 1, 1] + [0, 1, 2]).all()
