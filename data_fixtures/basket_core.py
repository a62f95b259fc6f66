"""The part of a set of baskets in which every item is sold often enough."""

import numpy as np
from numpy.typing import NDArray


def basket_core(
    baskets: NDArray[np.int64], items: NDArray[np.int64], least_sales: int
) -> NDArray[np.bool_]:
    """Which lines (m,) belong to the largest set of whole baskets with enough sales of every item.

    `baskets` and `items` (m,) are codes from 0, each pair once. A basket with a rarer item is left
    out whole, which can make further items rare, until none is; the result is unique.
    """
    kept = np.ones(len(items), dtype=np.bool_)
    while kept.any():
        sales = np.bincount(items[kept], minlength=items.max() + 1)
        rare = kept & (sales[items] < least_sales)
        if not rare.any():
            break
        broken = np.bincount(baskets[rare], minlength=baskets.max() + 1) > 0
        kept &= ~broken[baskets]
    return kept
