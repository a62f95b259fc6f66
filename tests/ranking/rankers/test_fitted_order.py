from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest

from recommender.core.neighbours import NONE, Neighbours
from recommender.ranking.rankers.boosted_trees import BoostedTrees
from recommender.ranking.rankers.calibration import Calibration
from recommender.ranking.rankers.fitted_order import BLOCK, FittedOrder, LearnedScorer
from recommender.ranking.rankers.pair_features import Features


@dataclass
class OneFeature:
    """Features of pairs whose only one is the row of the candidate."""

    def table(self, rows: np.ndarray, candidates: Neighbours) -> tuple[tuple[str, ...], np.ndarray]:
        values = candidates.rows[candidates.found].astype(np.float32)[:, None]
        return ("co-occurrence",), np.log(values)


@dataclass
class TheFeature:
    """Trees that predict the feature itself."""

    def predict(self, table: np.ndarray) -> np.ndarray:
        return table[:, 0].astype(float)


def scorer(trees: TheFeature | None) -> LearnedScorer:
    order = FittedOrder(
        order="co-occurrence",
        together=False,
        calibration=Calibration(np.array([[0.0, 0.0], [1e4, 1.0]])),
    )
    return LearnedScorer(order, cast(BoostedTrees, trees), cast(Features, OneFeature()))


@pytest.mark.parametrize("trees", [TheFeature(), None])
def test_candidates_of_any_number_of_items_are_ordered_each_for_itself(
    trees: TheFeature | None,
) -> None:
    n = 2 * BLOCK + 7
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 5_000, size=(n, 9)).astype(np.int32)
    rows[:, 6:] = np.where(rng.random((n, 3)) < 0.5, NONE, rows[:, 6:])
    rows[BLOCK + 3] = NONE
    proposed = Neighbours(rows, np.where(rows == NONE, -np.inf, 1.0).astype(np.float32))
    ranked = scorer(trees).rank(np.arange(n, dtype=np.int32), proposed)
    for asked in (0, BLOCK - 1, BLOCK, BLOCK + 3, n - 1):
        expected = sorted(rows[asked][rows[asked] != NONE], reverse=True)
        assert ranked.rows[asked][ranked.found[asked]].tolist() == expected
        alone = scorer(trees).rank(
            np.array([asked], dtype=np.int32),
            Neighbours(proposed.rows[[asked]], proposed.scores[[asked]]),
        )
        assert np.array_equal(alone.scores[0], ranked.scores[asked])
