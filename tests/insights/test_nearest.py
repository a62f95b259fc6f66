"""The nearest items in one origin."""

import numpy as np
import pytest

from recommender.core.vectors import Embeddings
from recommender.insights.nearest import nearest_items

VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, 0], [0.6, 0.8]], dtype=np.float32)


def test_the_nearest_come_first_without_the_item_and_those_without_a_vector() -> None:
    origin = Embeddings(VECTORS, np.array([1, 1, 1, 0, 1], dtype=np.float32))
    found = nearest_items(origin, 0, 3)
    assert [row for row, _ in found] == [1, 4, 2]
    assert [cosine for _, cosine in found] == pytest.approx([0.8, 0.6, 0.0])
    assert len(nearest_items(origin, 0, 99)) == 3
    assert nearest_items(origin, 3, 3) == []
