"""What is bought with an item, and not instead of it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.context import RankingContext
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import TrainingSet
from recommender.errors import ConfigError
from recommender.ranking.rankers.identity import LOWEST_SCORE
from recommender.vectors.behaviour.affinity import Company


@dataclass(frozen=True, slots=True)
class Complements:
    """Orders by how likely a candidate is bought when the item is: a phone leads to its case.

    The rate of the candidate given the item, counted in events of the kind `bought` and backed by
    category, brand and text (`recommender.vectors.behaviour.affinity`). It is multiplied by its
    own part of the rates bought and viewed together, where there are other kinds of event: what
    is viewed together is a choice between the two. Where the candidate's category rather leads to
    the item's, it counts less by the `direction`-th power of their ratio; each time that it is
    bought more often with the item than by chance multiplies it by the `lift`-th power. Half as
    much for every `half_life_days` of age (0: no decay).

    Source: P-Companion, Hao et al. 2020: bought together less viewed together.
    """

    learns: ClassVar[bool] = False
    by_popularity: ClassVar[bool] = False

    bought: str = "purchase"
    half_life_days: float = 180.0
    trusted_at: float = 20.0
    nearness: float = 0.2
    direction: float = 1.0
    lift: float = 0.0

    def __post_init__(self) -> None:
        require_counting("complements", self.half_life_days, self.trusted_at, self.nearness)
        for name in ("direction", "lift"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"complements: {name} = {getattr(self, name)} is below 0")

    def fit(self, training_set: TrainingSet | None) -> "Complements":
        """Itself: what it counts, it counts in every build."""
        return self

    def load(self, columns: Columns) -> "Complements":
        """Itself."""
        return self

    def columns(self) -> Columns:
        """Nothing."""
        return {}

    def prepare(self, context: RankingContext) -> "ComplementsScorer":
        """Count what was bought, and what was viewed, together."""
        bought, viewed = companies(context, self.bought, self.half_life_days)
        return ComplementsScorer(self, bought, viewed)


@dataclass(frozen=True, slots=True)
class ComplementsScorer:
    """The company of one build; `viewed` is None where all that is known was bought."""

    ranker: Complements
    bought: Company
    viewed: Company | None

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """Candidates by their rate, best first."""
        of = self.ranker
        rates = self.bought.rates(rows, candidates, of.trusted_at, of.nearness)
        scores = rates.copy()
        if self.viewed is not None:
            other = self.viewed.rates(rows, candidates, of.trusted_at, of.nearness)
            scores *= part_of(rates, other)
        if of.direction:
            scores *= self.bought.leads(rows, candidates) ** of.direction
        if of.lift:
            scores *= self.bought.lift(rows, candidates) ** of.lift
        return ranked(candidates, scores)


def companies(
    context: RankingContext, bought: str, half_life_days: float
) -> tuple[Company, Company | None]:
    """Who is bought together, and who is viewed together; None where nothing was viewed."""
    events = context.interactions
    of_others = [kind for kind in events.kinds if kind != bought]
    viewed = events.of_kinds(of_others) if of_others else None
    return (
        Company.of(context, events.of_kinds((bought,)), half_life_days),
        Company.of(context, viewed, half_life_days) if viewed is not None and len(viewed) else None,
    )


def part_of(rates: FloatMatrix, other: FloatMatrix) -> FloatMatrix:
    """What part the rates are of both (b, k)."""
    both = rates + other
    part: FloatMatrix = np.divide(rates, both, out=np.zeros_like(rates), where=both > 0)
    return part


def ranked(candidates: Neighbours, scores: FloatMatrix) -> Neighbours:
    """The candidates by scores (b, k) that are brought into (0, 1]."""
    return Neighbours.ordered(candidates.rows, np.clip(scores, LOWEST_SCORE, 1))


def require_counting(
    ranker: str, half_life_days: float, trusted_at: float, nearness: float
) -> None:
    """Refuse what cannot be counted with. Raises: ConfigError."""
    if not 0 <= half_life_days < np.inf:
        raise ConfigError(f"{ranker}: half_life_days = {half_life_days} is below 0")
    for name, value in (("trusted_at", trusted_at), ("nearness", nearness)):
        if not 0 < value < np.inf:
            raise ConfigError(f"{ranker}: {name} = {value} is not above 0")
