"""Side columns of a catalogue as numbers: category, brand and price."""

import zlib

import numpy as np

from recommender.core.arrays import FloatMatrix, unit_rows
from recommender.core.catalogue import PATH_SEPARATOR, Catalogue

BUCKETS = 64
WIDTH = BUCKETS + 1


def side_columns(catalogue: Catalogue, price_scale: tuple[float, float]) -> FloatMatrix:
    """Rows (n, WIDTH): hashed indicators of category levels and brand, then the scaled log price.

    Hashing needs no list of known words, so that new brands have a place as well. What is
    unknown is 0.
    """
    marks = np.zeros((len(catalogue), BUCKETS), dtype=np.float32)
    for row, (category, brand) in enumerate(zip(catalogue.category, catalogue.brand, strict=True)):
        for word in _words(category, brand):
            code = zlib.crc32(word.encode())
            marks[row, code % BUCKETS] += 1 if code & 0x8000_0000 else -1
    centre, spread = price_scale
    price = (_log_price(catalogue) - centre) / spread
    price = np.clip(np.nan_to_num(price), -3, 3) / 3
    return np.hstack([unit_rows(marks), price[:, None]]).astype(np.float32)


def price_scale(catalogue: Catalogue) -> tuple[float, float]:
    """Median and spread of the log prices; (0, 1) where there are none, or all are alike."""
    prices = _log_price(catalogue)
    prices = prices[np.isfinite(prices)]
    if not len(prices):
        return 0.0, 1.0
    spread = float(prices.std())
    return float(np.median(prices)), spread if spread > 1e-3 else 1.0


def _log_price(catalogue: Catalogue) -> FloatMatrix:
    known = np.isfinite(catalogue.price) & (catalogue.price > 0)
    logs: FloatMatrix = np.log(
        catalogue.price, out=np.full(len(known), np.nan, np.float32), where=known
    )
    return logs


def _words(category: str, brand: str) -> list[str]:
    levels = category.split(PATH_SEPARATOR) if category else []
    paths = ["category " + PATH_SEPARATOR.join(levels[: depth + 1]) for depth in range(len(levels))]
    return [*paths, f"brand {brand}"] if brand else paths
