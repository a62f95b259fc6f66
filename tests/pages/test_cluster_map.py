"""The map of groups: every drawn item is in its data, with the group that it is in."""

import numpy as np

from recommender.insights.clusters import Cluster, Clusters
from recommender.pages.cluster_map import page
from tests.pages.html import HOSTILE, read


def test_the_map_holds_what_is_drawn() -> None:
    groups = (
        Cluster(("tea", "pot"), np.array([2, 0], np.int32)),
        Cluster((), np.array([1], np.int32)),
    )
    clusters = Clusters.of(groups, 4)
    titles = ["a tea pot", HOSTILE, "tea pot", ""]
    rows, places = np.array([0, 1], np.int32), np.array([[-1, 1], [0.12345678, 0]], np.float32)
    parsed = read(page(HOSTILE, ["i0", "i1"], titles, clusters, rows, places))
    (data,) = parsed.data
    assert data["names"] == ["tea pot", ""]
    assert data["sizes"] == [2, 1]
    assert data["examples"] == ["tea pot; a tea pot", HOSTILE]
    assert data["points"] == [[-1, 1, 0, "i0", "a tea pot"], [0.1235, 0, 1, "i1", HOSTILE]]
    assert "3 items in 2 groups, 2 of them drawn." in " ".join(parsed.text.split())
