"""A ranker that learns from what was bought next."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, Rows, blocks
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext, TrainingQueries, TrainingSet
from recommender.errors import ConfigError, MissingExtra
from recommender.ranking.rankers.identity import InnerProductScorer
from recommender.ranking.rankers.learning_data import SHOWN, Features, Relevance

if TYPE_CHECKING:
    import lightgbm

BLOCK = 1024
GRADES = 30
HELD_OUT, PATIENCE = 0.2, 20


@dataclass(frozen=True, slots=True)
class LearnedRanker:
    """Gradient-boosted trees over features of behaviour, text and catalogue.

    They learn from an earlier time of the shop which candidates were bought or viewed with an item
    afterwards. Some items are treated as if they had no events, so that training includes new
    items. If the history is too short to learn from, candidates keep the order of the item
    vectors.

    Source: LambdaMART, Burges 2010, "From RankNet to LambdaRank to LambdaMART: an overview".
    """

    learns: ClassVar[bool] = True
    by_popularity: ClassVar[bool] = False

    trees: int = 200
    leaves: int = 31
    learning_rate: float = 0.05
    seeds_max: int = 4_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("trees", 1, 5_000),
            ("leaves", 2, 1_024),
            ("seeds_max", 10, 10**6),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"learned: {name} = {getattr(self, name)} is not in {low}..{high}"
                )
        if not 0 < self.learning_rate <= 1:
            raise ConfigError(f"learned: learning_rate = {self.learning_rate} is not in (0, 1]")

    def fit(self, training_set: TrainingSet | None) -> "FittedTrees":
        """Grow the trees. Deterministic for a seed, whatever the number of threads."""
        if training_set is None:
            return FittedTrees("")
        relevance = Relevance.of(training_set.later)
        parts = [self._examples(queries, relevance) for queries in training_set.queries]
        found = [part for part in parts if part is not None]
        if not found:
            return FittedTrees("")
        examples = Examples.joined(found)
        held_out = np.random.default_rng(self.seed).random(len(examples.sizes)) < HELD_OUT
        if not held_out.any() or held_out.all():
            return FittedTrees("")
        return FittedTrees(self.grown(examples.select(~held_out), examples.select(held_out)))

    def load(self, columns: Columns) -> "FittedTrees":
        """Undo `columns` of fitted trees."""
        return FittedTrees(columns["trees"].tobytes().decode())

    def _examples(self, queries: TrainingQueries, relevance: Relevance) -> "Examples | None":
        """Features, grades and weights of the candidates of items that sold after."""
        rows = relevance.drawn(queries.rows, self.seeds_max, self.seed)
        features = Features.of(queries.context)
        parts = []
        for block in blocks(len(rows), BLOCK):
            candidates = queries.propose(rows[block])
            grades = relevance.grades(rows[block], candidates)
            graded = (grades > 0).any(axis=1)
            asked = Neighbours(candidates.rows[graded], candidates.scores[graded])
            if not graded.any():
                continue
            names, table = features.table(rows[block][graded], asked)
            parts.append(
                Examples(
                    names,
                    table,
                    grades[graded][asked.found],
                    asked.found.sum(axis=1),
                    relevance.times_asked[rows[block][graded]],
                )
            )
        return Examples.joined(parts) if parts else None

    def grown(self, examples: "Examples", held_out: "Examples") -> str:
        """Trees until the held-out seeds gain no more; none where they never gain."""
        lightgbm = _lightgbm()
        booster = lightgbm.train(
            self._parameters(),
            examples.dataset(),
            self.trees,
            valid_sets=[held_out.dataset()],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        learned = np.asarray(booster.predict(held_out.table))
        if held_out.gain(learned) <= held_out.gain(held_out.table[:, 0]):
            return ""
        trees: str = booster.model_to_string(num_iteration=booster.best_iteration)
        return trees

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "lambdarank",
            "label_gain": list(range(GRADES + 1)),
            "metric": "ndcg",
            "eval_at": [10],
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": 200,
            "lambda_l2": 5.0,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


@dataclass(frozen=True, slots=True)
class Examples:
    """Features (m, f) and grades (m,) of candidates; group sizes and times asked (g,) of seeds.

    The first feature is the inner product of the item vectors.
    """

    names: tuple[str, ...]
    table: NDArray[np.float32]
    grades: NDArray[np.float64]
    sizes: NDArray[np.int64]
    asked: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: list["Examples"]) -> "Examples":
        """All parts as one."""
        columns = ("table", "grades", "sizes", "asked")
        return cls(
            parts[0].names,
            *(np.concatenate([getattr(part, name) for part in parts]) for name in columns),
        )

    def select(self, seeds: NDArray[np.bool_]) -> "Examples":
        """The examples of the seeds (g,) that are chosen."""
        rows = np.repeat(seeds, self.sizes)
        return Examples(
            self.names, self.table[rows], self.grades[rows], self.sizes[seeds], self.asked[seeds]
        )

    def dataset(self) -> "lightgbm.Dataset":
        """The examples as LightGBM knows them, grades in whole steps."""
        made: lightgbm.Dataset = _lightgbm().Dataset(
            self.table,
            label=np.minimum(np.rint(self.grades * GRADES), GRADES).astype(np.int32),
            group=self.sizes,
            weight=np.repeat(np.sqrt(self.asked), self.sizes),
            feature_name=[name.replace(" ", "_").replace(",", "") for name in self.names],
            params={"verbose": -1},
        )
        return made

    def gain(self, scores: NDArray[np.floating[Any]]) -> float:
        """Mean discounted gain of the first ten by `scores` (m,), seeds weighed as in training."""
        seeds = np.repeat(np.arange(len(self.sizes)), self.sizes)
        order = np.lexsort((-scores, seeds))
        place = np.arange(len(order)) - np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        discounts = np.where(place < SHOWN, 1 / np.log2(place + 2), 0)
        gains = np.bincount(seeds, weights=self.grades[order] * discounts)
        return float(np.average(gains, weights=np.sqrt(self.asked)))


@dataclass(frozen=True, slots=True)
class FittedTrees:
    """The trees in LightGBM's own text; empty where there was nothing to learn from."""

    trees: str

    def columns(self) -> Columns:
        """The text as bytes."""
        return {"trees": np.frombuffer(self.trees.encode(), dtype=np.uint8)}

    def prepare(self, context: RankingContext) -> "TreeScorer | InnerProductScorer":
        """Make ready for one build."""
        if not self.trees:
            return InnerProductScorer(context.vectors.bound)
        return TreeScorer(_lightgbm().Booster(model_str=self.trees), Features.of(context))


@dataclass(frozen=True, slots=True)
class TreeScorer:
    """The trees, and the features of one build."""

    booster: "lightgbm.Booster"
    features: Features

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """Candidates by what the trees say of them; scores are its logistic, in (0, 1)."""
        scores = np.full(candidates.rows.shape, -np.inf, dtype=np.float32)
        for block in blocks(len(rows), BLOCK):
            part = Neighbours(candidates.rows[block], candidates.scores[block])
            if not part.found.any():
                continue
            _, table = self.features.table(rows[block], part)
            said = np.asarray(self.booster.predict(table))
            scores[block][part.found] = 1 / (1 + np.exp(-said))
        return Neighbours.ordered(candidates.rows, scores)


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


def _lightgbm() -> ModuleType:
    """LightGBM. Raises: MissingExtra where it, or the system's OpenMP, is not there."""
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
