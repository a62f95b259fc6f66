"""Annoy: the reduction to angles, and how many nodes are searched."""

import builtins
from typing import Any

import numpy as np
import pytest

from recommender.errors import ConfigError, MissingExtra
from recommender.vectors.index.annoy import FIRST_NODES, Annoy, equally_long
from tests.support.clustered_vectors import clustered


def test_one_more_dimension_makes_targets_equally_long_and_keeps_inner_products() -> None:
    targets, queries = clustered(200), clustered(20, seed=1)
    lengthened = equally_long(targets)
    lengths = np.linalg.norm(lengthened, axis=1)
    assert lengths == pytest.approx(np.full(200, lengths.max()), rel=1e-5)
    asked = np.pad(queries, ((0, 0), (0, 1)))
    assert asked @ lengthened.T == pytest.approx(queries @ targets.T, abs=1e-5)


def test_more_recall_searches_more_nodes() -> None:
    pytest.importorskip("annoy", reason="the extra annoy is not installed")
    targets = clustered(4000)
    nodes = [
        int(Annoy(trees=10, recall=recall).build(targets).columns()["nodes"])
        for recall in (0.01, 0.99)
    ]
    assert nodes[0] == FIRST_NODES
    assert nodes[1] > FIRST_NODES


def test_a_forest_is_grown_again_with_the_nodes_of_its_columns() -> None:
    pytest.importorskip("annoy", reason="the extra annoy is not installed")
    targets = clustered(1000)
    restored = Annoy(trees=4).restore(targets, {"nodes": np.array(777)})
    assert restored.nodes == 777
    assert restored.columns()["nodes"] == 777


def test_without_annoy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        if name == "annoy":
            raise ModuleNotFoundError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'recommender\[annoy\]'"):
        Annoy().build(clustered(5))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"trees": 0}, r"annoy: trees = 0 is not in 1\.\.10000"),
        ({"recall": 0.0}, r"annoy: recall = 0.0 is not in \(0, 1\]"),
    ],
)
def test_parameters_out_of_range(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Annoy(**parameters)
