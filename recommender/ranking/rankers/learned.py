"""A ranker that learns from what was bought next."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns
from recommender.core.protocols import TrainingSet
from recommender.errors import ConfigError
from recommender.ranking.rankers.boosted_trees import LEAVES_MAX
from recommender.ranking.rankers.calibration import Calibration
from recommender.ranking.rankers.examples import Examples, Mixture
from recommender.ranking.rankers.fitted_order import FittedOrder, load_lightgbm
from recommender.ranking.rankers.pair_features import SIMPLE
from recommender.ranking.rankers.questions import Objective, Questions

if TYPE_CHECKING:
    from lightgbm import Booster, Dataset

PATIENCE = 20
LEAF = 200
ANSWERED, LISTS_PER_SEED = 3, 15
"""Of so many next items about one is among the candidates of the items before it; and how many
lists of last items these have for each item that would ask what is together."""
SURE = 1.0
"""Standard errors by which trees must beat every simple order."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LearnedRanker:
    """Gradient-boosted trees over features of behaviour, content and catalogue.

    They learn from an earlier time of the shop what was bought or viewed `together` with an item
    afterwards, or what its users took `next`. A user's next item is explained by one of the last
    items: P(j | user) is the mean of P(j | i) over these, by weight, and P(j | i) is a softmax over
    the candidates of i. So lists can be summed over several seeds. Some items are treated as if
    they had no events, so that training includes new items.

    With `debias` b an answer counts support^-b, so that popular items, which are in many baskets
    whatever is asked, do not crowd out the others.

    The newest questions are held out. On them the trees must beat each of the simple orders among
    the features (item vectors, counts, cosines, EASE, popularity), else the best of these ranks.
    Trees that win are grown again from all questions, as many as were best. Scores are
    probabilities, calibrated on the held-out questions. If the history is too short to learn from,
    candidates keep the order of the item vectors.

    Source: mixture of softmaxes fitted as in Jordan, Jacobs 1994, "Hierarchical mixtures of experts
    and the EM algorithm", by boosting (Friedman 2001); propensity after Yang et al. 2018, "Unbiased
    offline recommender evaluation for missing-not-at-random implicit feedback".
    """

    learns: ClassVar[bool] = True
    by_popularity: ClassVar[bool] = False

    objective: Objective = "together"
    debias: float = 0.0
    trees: int = 300
    leaves: int = 31
    learning_rate: float = 0.05
    seeds_max: int = 4_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("trees", 1, 5_000),
            ("leaves", 2, LEAVES_MAX),
            ("seeds_max", 10, 10**6),
            ("debias", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"learned: {name} = {getattr(self, name)} is not in {low}..{high}"
                )
        if not 0 < self.learning_rate <= 1:
            raise ConfigError(f"learned: learning_rate = {self.learning_rate} is not in (0, 1]")

    def fit(self, training_set: TrainingSet | None) -> "FittedOrder":
        """Grow the trees. Deterministic for a seed, whatever the number of threads."""
        if training_set is None:
            return FittedOrder()
        asked, together = self._asked(training_set)
        most: float = self.seeds_max
        if not together:
            most *= min(ANSWERED, LISTS_PER_SEED * len(asked) / max(len(asked.seeds), 1))
        parts: list[Examples] = []
        held_out = np.zeros(0, dtype=bool)
        for queries in training_set.queries:
            drawn = asked.drawn(queries.rows, round(most), self.seed)
            part = Examples.of(queries, drawn, self.debias, together, drawn.held_out)
            if part is not None:
                parts.append(part.numbered_from(len(held_out)))
            held_out = np.concatenate([held_out, drawn.held_out])
        if not parts:
            return FittedOrder()
        examples = Examples.joined(parts)
        judged = held_out[examples.question]
        if not judged.any() or judged.all():
            return FittedOrder()
        return self.grown(examples, held_out, together)

    def load(self, columns: Columns) -> "FittedOrder":
        """Undo `columns` of a fitted order."""
        return FittedOrder(
            columns["trees"].tobytes().decode(),
            float(columns["base"]),
            columns["order"].tobytes().decode(),
            bool(columns["together"]),
            Calibration(columns["knots"]),
        )

    def _asked(self, training_set: TrainingSet) -> tuple[Questions, bool]:
        """The questions of later events, and whether they ask what is `together`.

        Where no user or session takes one item after another, `next` asks that too.
        """
        if self.objective == "next":
            known = training_set.queries[0].context.interactions
            asked = Questions.next(known, training_set.later)
            if len(asked):
                return asked, False
            _logger.info(
                "ranker: no user or session took one item after another, so next learns from what "
                "is in one basket"
            )
        return Questions.together(training_set.later), True

    def grown(self, everything: Examples, held: NDArray[np.bool_], together: bool) -> "FittedOrder":
        """Trees until the `held` out questions (q,) gain no more, or the best simple order."""
        examples, held_out = everything.select(~held), everything.select(held)
        simple = [name for name in SIMPLE if name in held_out.names]
        gains = {name: held_out.gain(_calibrated_by(examples, name, held_out)) for name in simple}
        best = max(gains, key=lambda name: float(gains[name].mean()))
        name = SIMPLE[best]
        found: dict[str, Any] = {"order": name, "best_simple": name, "together": together}
        found |= {"questions": examples.n_asked, "held_out": held_out.n_asked}
        if len(examples.table) >= 2 * LEAF and np.ptp(np.nan_to_num(examples.table), axis=0).any():
            base = examples.base
            trees = self._boosted(examples, self.trees, base, held_out)
            predicted = np.asarray(trees.predict(held_out.table), dtype=np.float64)
            strength = held_out.strength(predicted + base)
            won = held_out.gain(strength) - gains[best]
            found |= {"trees_gain": float(won.mean() / max(gains[best].mean(), 1e-12))}
            if won.mean() > SURE * won.std() / np.sqrt(len(won)):
                fitted, found = held_out.calibrated(strength), found | {"order": "trees"}
                again = self._boosted(everything, trees.best_iteration, base)
                return FittedOrder(again.model_to_string(), base, "", together, fitted, found)
        _logger.info("ranker: items are in the order of %s, which learned trees do not beat", name)
        fitted = held_out.calibrated(held_out.column(best))
        return FittedOrder("", 0.0, best, together, fitted, found)

    def _boosted(
        self, examples: Examples, trees: int, base: float, held_out: Examples | None = None
    ) -> "Booster":
        """A LightGBM booster of at most so many trees, as many as are best for `held_out`."""
        learned = Mixture.of(examples)
        parameters = self._parameters()
        parameters["objective"] = lambda values, _: learned.gradients(values)
        stopping: dict[str, Any] = {}
        if held_out is not None:
            judged = Mixture.of(held_out)
            stopping = {
                "valid_sets": [_dataset(held_out, base)],
                "feval": lambda predicted, _: ("loss", judged.loss(predicted), False),
                "callbacks": [load_lightgbm().early_stopping(PATIENCE, verbose=False)],
            }
        booster: Booster = load_lightgbm().train(
            parameters, _dataset(examples, base), trees, **stopping
        )
        return booster

    def _parameters(self) -> dict[str, Any]:
        return {
            "metric": "none",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": LEAF,
            "feature_pre_filter": False,
            "min_sum_hessian_in_leaf": 1e-2,
            "lambda_l2": 5.0,
            "feature_fraction": 0.7,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


def _dataset(examples: Examples, base: float) -> "Dataset":
    made: Dataset = load_lightgbm().Dataset(
        examples.table,
        label=examples.targets,
        init_score=np.full(len(examples.table), base),
        params={"verbose": -1},
    )
    return made


def _calibrated_by(examples: Examples, name: str, held_out: Examples) -> NDArray[np.float64]:
    """A simple order of the held-out candidates (m,), as probabilities that can be summed."""
    fitted = examples.calibrated(examples.column(name))
    strength = held_out.column(name)[None].astype(np.float32)
    scores: NDArray[np.float64] = fitted.scores(strength)[0].astype(np.float64)
    return scores
