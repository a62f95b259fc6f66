"""What may be bought instead of an item, and not with it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.core.arrays import Columns, FloatMatrix, Rows, inner_products
from recommender.core.context import RankingContext
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import TrainingSet
from recommender.errors import ConfigError
from recommender.ranking.rankers.complements import companies, part_of, ranked, require_counting
from recommender.vectors.behaviour.affinity import Company


@dataclass(frozen=True, slots=True)
class Substitutes:
    """Orders by how likely a candidate is looked at in place of the item.

    With kinds of event other than `bought`: the rate of the candidate when the item is viewed,
    backed by category, brand and text (`recommender.vectors.behaviour.affinity`), times its part
    of the rates viewed and bought together. With orders alone: nearness by text (a cosine lower
    by `text_nearness` divides it by e), times `elsewhere` in another category, divided by one and
    each doubling of how often the two are in one basket beyond chance.
    """

    learns: ClassVar[bool] = False
    by_popularity: ClassVar[bool] = False

    bought: str = "purchase"
    half_life_days: float = 180.0
    trusted_at: float = 20.0
    nearness: float = 1.0
    text_nearness: float = 0.1
    elsewhere: float = 0.05

    def __post_init__(self) -> None:
        require_counting("substitutes", self.half_life_days, self.trusted_at, self.nearness)
        if not 0 < self.text_nearness < np.inf:
            raise ConfigError(f"substitutes: text_nearness = {self.text_nearness} is not above 0")
        if not 0 <= self.elsewhere <= 1:
            raise ConfigError(f"substitutes: elsewhere = {self.elsewhere} is not in 0..1")

    def fit(self, training_set: TrainingSet | None) -> "Substitutes":
        """Itself: what it counts, it counts in every build."""
        return self

    def load(self, columns: Columns) -> "Substitutes":
        """Itself."""
        return self

    def columns(self) -> Columns:
        """Nothing."""
        return {}

    def prepare(self, context: RankingContext) -> "SubstitutesScorer":
        """Count what was bought, and what was viewed, together."""
        bought, viewed = companies(context, self.bought, self.half_life_days)
        return SubstitutesScorer(self, bought, viewed)


@dataclass(frozen=True, slots=True)
class SubstitutesScorer:
    """The company of one build; `viewed` is None where all that is known was bought."""

    ranker: Substitutes
    bought: Company
    viewed: Company | None

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """Candidates by how near a choice they are, best first."""
        of = self.ranker
        if self.viewed is None:
            return ranked(candidates, self._by_content(rows, candidates))
        rates = self.viewed.rates(rows, candidates, of.trusted_at, of.nearness)
        other = self.bought.rates(rows, candidates, of.trusted_at, of.nearness)
        return ranked(candidates, rates * part_of(rates, other))

    def _by_content(self, rows: Rows, candidates: Neighbours) -> FloatMatrix:
        content, category = self.bought.content, self.bought.category
        cosines = inner_products(content, rows, candidates.rows)
        near = np.exp((np.minimum(cosines, 1) - 1) / np.float32(self.ranker.text_nearness))
        elsewhere = category[candidates.rows] != category[rows][:, None]
        near *= np.where(elsewhere, np.float32(self.ranker.elsewhere), np.float32(1))
        doublings = np.log2(np.maximum(self.bought.lift(rows, candidates), 1))
        scores: FloatMatrix = (near / (1 + doublings)).astype(np.float32)
        return scores
