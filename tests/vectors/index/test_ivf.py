"""The inverted file: cells by length and direction, and probes that reach the recall."""

import numpy as np
import pytest

from recommender.core.arrays import unit_rows
from recommender.core.neighbours import NONE
from recommender.vectors.index.exact import Exact
from recommender.vectors.index.ivf import InvertedFile, trained
from tests.support.clustered_vectors import clustered


@pytest.mark.parametrize("n", [1, 40, 5000])
def test_every_cell_probed_is_exact(n: int) -> None:
    targets, queries = clustered(n), clustered(300, seed=1)
    columns = InvertedFile(recall=1.0, cells=min(n, 30)).build(targets).columns()
    columns |= {"probes": np.array(len(columns["centroids"]))}
    answer = InvertedFile().restore(targets, columns).search(queries, 30)
    expected = Exact().build(targets).search(queries, 30)
    assert (answer.rows == expected.rows).all()
    assert answer.scores == pytest.approx(expected.scores, abs=1e-5)


def test_scores_below_zero_come_before_empty_places() -> None:
    targets = -np.abs(clustered(400))
    queries = np.abs(clustered(20, seed=1))
    found = InvertedFile(recall=1.0, cells=20).build(targets).search(queries, 10)
    assert (found.scores < 0).all()
    assert (found.rows != NONE).all()


def test_centroids_have_the_direction_and_the_mean_length_of_their_cells() -> None:
    targets = np.vstack([clustered(3000), np.tile(clustered(1), (700, 1))])
    centroids, cells = trained(targets, np.arange(len(targets), dtype=np.int32), 200, seed=0)
    assert np.bincount(cells).min() >= 1
    assert len(np.bincount(cells)) == len(centroids)
    for cell in range(len(centroids)):
        held = targets[cells == cell]
        length = np.linalg.norm(held, axis=1).mean()
        expected = length * unit_rows(held.mean(axis=0, keepdims=True))[0]
        assert centroids[cell] == pytest.approx(expected, abs=1e-4)


def test_few_cells_reach_the_recall_whatever_the_lengths() -> None:
    targets = unit_rows(clustered(20_000) + 3)
    targets *= (1 + np.arange(20_000, dtype=np.float32)[:, None]) ** np.float32(-0.2)
    columns = InvertedFile().build(targets).columns()
    assert columns["recall"] >= 0.98
    assert columns["probes"] <= len(columns["centroids"]) / 2


def test_the_same_seed_trains_the_same_cells() -> None:
    targets = clustered(5000)
    one, two = (InvertedFile().build(targets).columns() for _ in range(2))
    assert (one["cells"] == two["cells"]).all()
    assert one["centroids"].tobytes() == two["centroids"].tobytes()
