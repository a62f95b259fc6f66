from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest

from recommender.ranking.rankers.fitted_order import (
    FEWEST_TREES,
    FIRST_TREES,
    SECOND_LOOK,
    FittedOrder,
    LearnedScorer,
)
from recommender.ranking.rankers.pair_features import Features


@dataclass
class TwoColumns:
    """Trees that predict the sum of two columns, the first eighth of them only the first."""

    trees: int = FEWEST_TREES
    read: int = 0

    def num_trees(self) -> int:
        return self.trees

    def predict(
        self, table: np.ndarray, num_iteration: int | None = None, start_iteration: int = 0
    ) -> np.ndarray:
        self.read += len(table)
        if num_iteration is not None:
            assert num_iteration == self.trees // FIRST_TREES
            return table[:, 0].astype(float)
        return (table[:, 1] if start_iteration else table.sum(axis=1)).astype(float)


def scorer(trees: TwoColumns) -> LearnedScorer:
    return LearnedScorer(FittedOrder(), trees, cast(Features, None))


def drawn(sizes: list[int], width: int) -> tuple[np.ndarray, np.ndarray]:
    found = np.arange(width) < np.array(sizes)[:, None]
    return np.random.default_rng(0).normal(size=(found.sum(), 2)), found


def test_most_trees_look_at_the_candidates_that_the_first_prefer() -> None:
    table, found = drawn([600], 600)
    trees = TwoColumns()
    predicted = scorer(trees)._predicted(table, found)
    preferred = np.argsort(-table[:, 0])[:200]
    assert trees.read == 600 + 200
    assert predicted[preferred] == pytest.approx(table[preferred].sum(axis=1))
    others = np.setdiff1d(np.arange(600), preferred)
    assert predicted[others].max() <= predicted[preferred].min()


@pytest.mark.parametrize("sizes", [[SECOND_LOOK, 3, 0], [300, 140, 5]])
def test_what_is_predicted_of_a_list_does_not_depend_on_the_lists_beside_it(
    sizes: list[int],
) -> None:
    table, found = drawn(sizes, 300)
    together = scorer(TwoColumns())._predicted(table, found)
    starts = np.cumsum([0, *sizes])
    for row, size in enumerate(sizes):
        own = slice(starts[row], starts[row] + size)
        alone = scorer(TwoColumns())._predicted(table[own], found[row : row + 1, :size])
        assert together[own] == pytest.approx(alone)


def test_all_trees_look_at_all_candidates_where_either_are_few() -> None:
    for trees, size in ((FEWEST_TREES - 1, 600), (FEWEST_TREES, SECOND_LOOK)):
        table, found = drawn([size], size)
        predicted = scorer(TwoColumns(trees))._predicted(table, found)
        assert predicted == pytest.approx(table.sum(axis=1))
