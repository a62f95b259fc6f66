"""Cells searched in bf16: exact within the cells looked into, and FAISS's own by their columns."""

import numpy as np
import pytest

from recommender.arrays import unit_rows
from recommender.indexes import ivf
from recommender.indexes.cell_training import CELL, Lengthened, trained
from recommender.indexes.ivf import InvertedFile
from recommender.indexes.screened import Screened
from recommender.neighbours import NONE

pytest.importorskip("torch", reason="the extra text is not installed")


def clustered(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(60, 24))
    made = unit_rows(centres[rng.integers(0, 60, n)] + 0.3 * rng.normal(size=(n, 24)))
    return made * rng.uniform(0.5, 2, (n, 1)).astype(np.float32)


@pytest.fixture
def in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ivf, "screens", lambda: True)


@pytest.mark.usefixtures("in_bf16")
@pytest.mark.parametrize("n", [1, 40, 5000])
def test_every_cell_probed_is_exact(n: int) -> None:
    targets = clustered(n)
    queries = clustered(300, seed=1)
    found = InvertedFile(recall=1.0, cells=min(n, 30)).build(targets)
    columns = found.columns() | {"probes": np.array(len(found.columns()["centroids"]))}
    answer = InvertedFile().restore(targets, columns).search(queries, 30)
    expected = Screened.of(targets, np.arange(n, dtype=np.int32)).search(queries, 30)
    assert (answer.rows == expected.rows).all()
    assert (answer.scores == expected.scores).all()


@pytest.mark.usefixtures("in_bf16")
def test_scores_below_zero_stand_before_empty_places() -> None:
    targets = -np.abs(clustered(400))
    queries = np.abs(clustered(20, seed=1))
    found = InvertedFile(recall=1.0, cells=20).build(targets).search(queries, 10)
    assert (found.scores < 0).all()
    assert (found.rows != NONE).all()


def test_no_cell_has_more_than_its_places() -> None:
    targets = np.vstack([clustered(3000), np.tile(clustered(1), (700, 1))])
    vectors = Lengthened.of(targets, np.arange(len(targets), dtype=np.int32))
    centroids, cells = trained(vectors, 10, seed=0)
    assert np.bincount(cells).max() <= CELL
    assert cells.max() < len(centroids)
    assert np.linalg.norm(centroids, axis=1) == pytest.approx(np.ones(len(centroids)), abs=1e-5)


@pytest.mark.parametrize("built", [True, False], ids=["built in bf16", "built by FAISS"])
def test_columns_of_one_machine_are_read_on_another(
    built: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, queries = clustered(4000), clustered(100, seed=1)
    monkeypatch.setattr(ivf, "screens", lambda: built)
    index = InvertedFile(cells=40).build(targets)
    monkeypatch.setattr(ivf, "screens", lambda: not built)
    other = InvertedFile().restore(targets, index.columns())
    one, two = index.search(queries, 24), other.search(queries, 24)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(one.rows, two.rows, strict=True)]
    assert np.mean(shared) / 24 >= 0.98
    assert len(other.columns()["centroids"]) == len(index.columns()["centroids"])
