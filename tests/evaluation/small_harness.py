"""A harness over a checkerboard of baskets, the last days of which are tested."""

from dataclasses import replace

import numpy as np

from recommender.core.interactions import DAY_S, Interactions
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.evaluation.harness import EvaluationPlan, Harness, ProtocolName, harness_of
from recommender.evaluation.protocols import (
    Window,
    window,
)
from recommender.vectors.content.static import HashingEncoder
from tests.support.shops import catalogue, checkerboard

N_ITEMS = 40


def events() -> Interactions:
    """Baskets of items that go together, a quarter of them in the last days."""
    made = checkerboard(N_ITEMS, 800)
    day = 1 + made.basket.astype(np.int64) // 80
    return replace(made, time=day * DAY_S, user=made.basket % 200)


def split(shop: Interactions) -> Window:
    return window(shop, until=11 * DAY_S, days=3)


def text() -> Embeddings:
    matrix = HashingEncoder(64).encode(catalogue(N_ITEMS).title, silent)
    return Embeddings.of_rows(matrix, np.ones(N_ITEMS, dtype=np.float32))


def prepared(shop: Interactions, protocol: ProtocolName = "basket") -> Harness:
    return harness_of(
        catalogue(N_ITEMS), split(shop), {"text": text()}, EvaluationPlan(protocol=protocol)
    )
