"""Rankers by co-purchase affinity: complements, and substitutes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.core.arrays import FloatMatrix, Rows, inner_products
from recommender.core.half_life import HalfLife, require_half_life
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.errors import ConfigError
from recommender.ranking.rankers.identity import LOWEST_SCORE, UnlearnedRanker
from recommender.vectors.behaviour.affinity import CoPurchaseAffinity


@dataclass(frozen=True, slots=True)
class Complements(UnlearnedRanker):
    """Ranks by how likely a candidate is bought when the item is: a phone leads to its case.

    The score is the co-purchase affinity of the candidate given the item, from events of the kind
    `bought`. Where there are other kinds of event, it is multiplied by the share of the affinity
    bought together in the sum of both, because items that are viewed together are alternatives.
    Where the candidate's category leads to the item's rather than the reverse, the score is
    multiplied by the ratio of the two rates to the power of `direction`; it is also multiplied by
    the lift to the power of `lift`. Events count half for every `half_life_days` of age (0: no
    decay; auto: learned).

    Source: P-Companion, Hao et al. 2020: bought together less viewed together.
    """

    by_popularity: ClassVar[bool] = False

    bought: str = "purchase"
    half_life_days: HalfLife = "auto"
    trusted_at: float = 20.0
    nearness: float = 0.2
    direction: float = 1.0
    lift: float = 0.0

    def __post_init__(self) -> None:
        require_counting("complements", self.half_life_days, self.trusted_at, self.nearness)
        for name in ("direction", "lift"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"complements: {name} = {getattr(self, name)} is below 0")

    def prepare(self, context: RankingContext) -> "ComplementsScorer":
        """Count the pairs bought together, and those viewed together."""
        bought, viewed = affinities(context, self.bought, self.half_life_days)
        return ComplementsScorer(self, bought, viewed)


@dataclass(frozen=True, slots=True)
class ComplementsScorer:
    """The affinities of one build; `viewed` is None where all events are of the kind `bought`."""

    ranker: Complements
    bought: CoPurchaseAffinity
    viewed: CoPurchaseAffinity | None

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


def affinities(
    context: RankingContext, bought: str, half_life_days: HalfLife
) -> tuple[CoPurchaseAffinity, CoPurchaseAffinity | None]:
    """The affinities of items bought together, and viewed together (None without views)."""
    events = context.interactions
    of_others = [kind for kind in events.kinds if kind != bought]
    viewed = events.of_kinds(of_others) if of_others else None
    return (
        CoPurchaseAffinity.of(context, events.of_kinds((bought,)), half_life_days),
        CoPurchaseAffinity.of(context, viewed, half_life_days)
        if viewed is not None and len(viewed)
        else None,
    )


def part_of(rates: FloatMatrix, other: FloatMatrix) -> FloatMatrix:
    """The share of the rates in the sum of both (b, k)."""
    both = rates + other
    part: FloatMatrix = np.divide(rates, both, out=np.zeros_like(rates), where=both > 0)
    return part


def ranked(candidates: Neighbours, scores: FloatMatrix) -> Neighbours:
    """The candidates by scores (b, k), which are clipped to (0, 1]."""
    return Neighbours.ordered(candidates.rows, np.clip(scores, LOWEST_SCORE, 1))


def require_counting(
    ranker: str, half_life_days: HalfLife, trusted_at: float, nearness: float
) -> None:
    """Refuse parameters out of range. Raises: ConfigError."""
    require_half_life(half_life_days, ranker)
    for name, value in (("trusted_at", trusted_at), ("nearness", nearness)):
        if not 0 < value < np.inf:
            raise ConfigError(f"{ranker}: {name} = {value} is not above 0")


@dataclass(frozen=True, slots=True)
class Substitutes(UnlearnedRanker):
    """Ranks by how likely a candidate is considered instead of the item.

    With kinds of event other than `bought`, the score is the affinity of items viewed together,
    times its share in the sum of the affinities viewed and bought together. With orders alone, it
    is the similarity of the content (a cosine lower by `text_nearness` divides it by e), times
    `elsewhere` in another category, divided by 1 plus the logarithm to base 2 of the lift.
    """

    by_popularity: ClassVar[bool] = False

    bought: str = "purchase"
    half_life_days: HalfLife = "auto"
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

    def prepare(self, context: RankingContext) -> "SubstitutesScorer":
        """Count the pairs bought together, and those viewed together."""
        bought, viewed = affinities(context, self.bought, self.half_life_days)
        return SubstitutesScorer(self, bought, viewed)


@dataclass(frozen=True, slots=True)
class SubstitutesScorer:
    """The affinities of one build; `viewed` is None where all events are of the kind `bought`."""

    ranker: Substitutes
    bought: CoPurchaseAffinity
    viewed: CoPurchaseAffinity | None

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
