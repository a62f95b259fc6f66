"""Cluster map: the groups of a shop's items, and where some of the items are drawn on a plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import FloatMatrix, Rows
from recommender.core.catalogue import clean
from recommender.insights.clusters import Clustering, Clusters, drawn_for_map, projected


@dataclass(frozen=True, slots=True)
class ClusterMap:
    """All groups, and the `places` (m, 2) of the drawn `rows` (m,), in a square of side 2 around 0.

    `centres` has the place of each group that is drawn, the middle of its items, by its number.
    """

    clusters: Clusters
    rows: Rows
    places: FloatMatrix

    @property
    def centres(self) -> dict[int, tuple[float, float]]:
        """The median place of the drawn items of each group."""
        labels = self.clusters.label[self.rows]
        return {
            int(group): tuple(np.median(self.places[labels == group], axis=0).tolist())
            for group in np.unique(labels)
        }


def cluster_map(titles: Sequence[str], matrix: FloatMatrix, most: int) -> ClusterMap:
    """Group items by their vectors (n, d), and draw at most so many of them.

    Raises: DataError if there are fewer than two texts.
    """
    clusters = Clustering().fit([clean(title) for title in titles], matrix)
    rows = drawn_for_map(clusters.label)
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
    return ClusterMap(clusters, rows, projected(matrix[rows]))
