"""The order that a ranker has learned, and how it ranks the candidates of one build."""

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, Rows, blocks
from recommender.core.cpu import blas_threads
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.errors import MissingExtra
from recommender.ranking.rankers.boosted_trees import BoostedTrees
from recommender.ranking.rankers.calibration import Calibration
from recommender.ranking.rankers.identity import InnerProductScorer
from recommender.ranking.rankers.pair_features import Features

BLOCK = 512
NOT_CALIBRATED = Calibration(np.zeros((1, 2)))


@dataclass(frozen=True, slots=True)
class FittedOrder:
    """The trees in LightGBM's own text, whose values rise from `base`; else a simple order's name.

    Both are empty where there was nothing to learn from.
    """

    trees: str = ""
    base: float = 0.0
    order: str = ""
    together: bool = True
    calibration: Calibration = NOT_CALIBRATED
    found: Mapping[str, Any] = field(default_factory=dict)

    def summary(self) -> Mapping[str, Any]:
        """Which order ranks, and how much more of the held-out answers trees find than the best.

        `order` and `best_simple` name orders, `trees_gain` is the relative gain of the trees,
        `questions` and `held_out` count what was asked in training and afterwards, and `together`
        says whether it was what shares a unit.
        """
        return self.found

    def columns(self) -> Columns:
        """The texts as bytes, the base and the knots of the calibration."""
        return {
            "trees": np.frombuffer(self.trees.encode(), dtype=np.uint8),
            "base": np.array(self.base),
            "order": np.frombuffer(self.order.encode(), dtype=np.uint8),
            "together": np.array(self.together),
            "knots": self.calibration.knots,
        }

    def prepare(self, context: RankingContext) -> "LearnedScorer | InnerProductScorer":
        """Make ready for one build."""
        if not (self.trees or self.order):
            return InnerProductScorer(context.vectors.bound)
        trees = BoostedTrees.parsed(self.trees) if self.trees else None
        return LearnedScorer(self, trees, Features.of(context))


@dataclass(frozen=True, slots=True)
class LearnedScorer:
    """The order, and the features of one build."""

    fitted: FittedOrder
    trees: BoostedTrees | None
    features: Features

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """Candidates by what was learned; scores are calibrated probabilities in (0, 1)."""
        strength = np.full(candidates.rows.shape, -np.inf, dtype=np.float32)

        def rank_block(block: slice) -> None:
            part = Neighbours(candidates.rows[block], candidates.scores[block])
            if part.found.any():
                strength[block][part.found] = self._strength(rows[block], part)

        with ThreadPoolExecutor(blas_threads()) as pool:
            list(pool.map(rank_block, blocks(len(rows), BLOCK)))
        ranked = Neighbours.ordered(candidates.rows, strength)
        scores = self.fitted.calibration.scores(np.maximum(ranked.scores, 0))
        return Neighbours(ranked.rows, np.where(ranked.found, scores, np.float32(-np.inf)))

    def _strength(self, rows: Rows, part: Neighbours) -> NDArray[np.float64]:
        names, table = self.features.table(rows, part)
        if self.trees is None:
            return np.nan_to_num(table[:, names.index(self.fitted.order)].astype(np.float64))
        predicted = self.trees.predict(table) + self.fitted.base
        asking = np.nonzero(part.found)[0]
        mass = self.features.others[rows[asking]] if self.fitted.together else 1.0
        strength: NDArray[np.float64] = np.exp(predicted) * mass
        return strength


@contextmanager
def _without(*modules: str) -> Iterator[None]:
    """Let what is imported find optional modules missing, unless they are there already."""
    hidden = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module in hidden:
            del sys.modules[module]


def load_lightgbm() -> ModuleType:
    """Load LightGBM. Raises: MissingExtra where it, or the system's OpenMP, is not there."""
    try:
        # whose import takes many times as long as LightGBM's own
        with _without("sklearn", "pandas"):
            import lightgbm
    except (ImportError, OSError) as error:
        raise MissingExtra(
            f"ranker learned: LightGBM does not load ({error}); install recommender[build], and "
            "where libgomp is missing the package libgomp1; or set the ranker to identity"
        ) from error
    module: ModuleType = lightgbm
    return module
