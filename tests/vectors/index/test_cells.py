"""Cells searched in bf16: exact within the cells looked into, and FAISS's own by their columns."""

import numpy as np
import pytest

from recommender.core.arrays import unit_rows
from recommender.core.neighbours import NONE
from recommender.vectors.index import cell_training, ivf
from recommender.vectors.index.cell_training import CELL, trained
from recommender.vectors.index.cells import Cells
from recommender.vectors.index.ivf import InvertedFile
from recommender.vectors.index.two_pass_exact import Screened

pytest.importorskip("torch", reason="the extra text is not installed")


def clustered(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(60, 24))
    made = unit_rows(centres[rng.integers(0, 60, n)] + 0.3 * rng.normal(size=(n, 24)))
    return made * rng.uniform(0.5, 2, (n, 1)).astype(np.float32)


@pytest.fixture
def in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    _multiplying_bf16(monkeypatch, True)


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


@pytest.mark.usefixtures("in_bf16")
def test_few_queries_round_only_the_cells_that_they_look_into() -> None:
    targets, queries = clustered(5000), clustered(300, seed=1)
    whole = InvertedFile(cells=60).build(targets)
    expected = whole.search(queries, 10)
    some = InvertedFile().restore(targets, whole.columns())
    found = some.search(queries[:2], 10)
    assert isinstance(some, Cells)
    looked_into = ~np.isnan(some.layout().longest)
    assert 0 < looked_into.sum() <= 2 * some.probes < len(looked_into)
    assert (found.rows == expected.rows[:2]).all()
    assert (found.scores == expected.scores[:2]).all()
    assert (some.search(queries, 10).rows == expected.rows).all()


def test_no_cell_has_more_than_its_places() -> None:
    targets = np.vstack([clustered(3000), np.tile(clustered(1), (700, 1))])
    centroids, cells = trained(targets, np.arange(len(targets), dtype=np.int32), 200, seed=0)
    sizes = np.bincount(cells)
    assert sizes.max() <= CELL
    assert sizes.min() >= 1
    assert len(sizes) == len(centroids)
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


@pytest.mark.parametrize("built", [True, False], ids=["built in bf16", "built in fp32"])
def test_columns_of_one_machine_are_read_on_another(
    built: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, queries = clustered(4000), clustered(100, seed=1)
    _multiplying_bf16(monkeypatch, built)
    index = InvertedFile(cells=40).build(targets)
    _multiplying_bf16(monkeypatch, not built)
    other = InvertedFile().restore(targets, index.columns())
    one, two = index.search(queries, 24), other.search(queries, 24)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(one.rows, two.rows, strict=True)]
    assert type(one) is type(two)
    assert type(index) is not type(other)
    assert np.mean(shared) / 24 >= 0.98


def _multiplying_bf16(monkeypatch: pytest.MonkeyPatch, multiplies: bool) -> None:
    for module in (ivf, cell_training):
        monkeypatch.setattr(module, "screens", lambda: multiplies)


def test_a_crowded_cell_parts_between_what_lies_together() -> None:
    rng = np.random.default_rng(5)
    centres = unit_rows(rng.normal(size=(3, 24)))
    of = np.repeat([0, 1, 2], 120)
    targets = unit_rows(centres[of] + 0.02 * rng.normal(size=(360, 24)))
    _, cells = trained(targets, np.arange(360, dtype=np.int32), filled=360, seed=0)
    assert np.bincount(cells).max() <= CELL
    assert len(set(zip(of.tolist(), cells.tolist(), strict=True))) == 3
