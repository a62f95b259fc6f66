"""The map of groups."""

import numpy as np

from recommender.core.arrays import unit_rows
from recommender.insights.cluster_map import cluster_map


def test_groups_are_drawn_where_their_items_are() -> None:
    rng = np.random.default_rng(0)
    titles = [f"{'garden chair' if row % 2 else 'steel kettle'} number" for row in range(60)]
    centres = np.eye(8, dtype=np.float32)[[0, 1]]
    noise = rng.normal(0, 0.05, (60, 8)).astype(np.float32)
    matrix = unit_rows(centres[np.arange(60) % 2] + noise)
    found = cluster_map(titles, matrix, 40)
    assert {group.name for group in found.clusters.groups} == {"garden chair", "steel kettle"}
    assert (len(found.rows), found.places.shape) == (40, (40, 2))
    assert np.abs(found.places).max() <= 1.001
    assert set(found.centres) == {0, 1}
