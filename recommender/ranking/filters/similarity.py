"""Filters by similarity: near-duplicates of the query item, and of one another."""

import logging
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import (
    NUMBERS_AT_ONCE,
    FloatMatrix,
    Rows,
    blocks,
    inner_products,
    unit_rows,
)
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext
from recommender.errors import ConfigError

By = Literal["content", "text", "vectors"]
"""What nearness is measured by; "text" is the old name of "content", to be removed in 0.3."""
DEEPEST = 4096

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Diverse:
    """Drops candidates nearer than `cosine_max` to a better candidate of the same list.

    `by` says whether cosines are those of item vectors or of content. The order of the rest stays.

    Source: maximal marginal relevance of Carbonell, Goldstein 1998, as a bound on the redundancy
    in place of a weight, so that scores keep their order and their meaning.
    """

    by_similarity: ClassVar[bool] = True

    cosine_max: float = 0.9
    by: By = "vectors"

    def __post_init__(self) -> None:
        _require_cosine(self.cosine_max, "diverse")

    def prepare(self, context: RankingContext) -> "DiverseFilter":
        """Scale the vectors to length one."""
        return DiverseFilter(_directions(context, self.by), self.cosine_max)


@dataclass(frozen=True, slots=True)
class NotAlike:
    """Drops near-duplicates of the query item: candidates nearer than `cosine_max`."""

    by_similarity: ClassVar[bool] = True

    cosine_max: float = 0.95
    by: By = "content"

    def __post_init__(self) -> None:
        _require_cosine(self.cosine_max, "not-alike")

    def prepare(self, context: RankingContext) -> "NotAlikeFilter":
        """Scale the vectors to length one."""
        return NotAlikeFilter(_directions(context, self.by), self.cosine_max)


@dataclass(frozen=True, slots=True)
class DiverseFilter:
    """Directions (n, d) of one build."""

    directions: FloatMatrix
    cosine_max: float

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are far enough from all that are kept before them.

        Candidates behind the first `DEEPEST` are dropped: no list is that long.
        """
        kept = candidates.found.copy()
        kept[:, DEEPEST:] = False
        found = candidates.rows[:, :DEEPEST]
        width = found.shape[1]
        size = max(1, NUMBERS_AT_ONCE // (width * max(width, self.directions.shape[1])))
        for block in blocks(len(rows), size):
            vectors = self.directions[found[block]]
            near = vectors @ vectors.transpose(0, 2, 1) > np.float32(self.cosine_max)
            part = kept[block]
            for place in range(1, width):
                before = near[:, place, :place] & part[:, :place]
                part[:, place] &= ~before.any(axis=1)
        return kept


@dataclass(frozen=True, slots=True)
class NotAlikeFilter:
    """Directions (n, d) of one build."""

    directions: FloatMatrix
    cosine_max: float

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) are far enough from their row."""
        cosines = inner_products(self.directions, rows, candidates.rows)
        return candidates.found & (cosines <= np.float32(self.cosine_max))


def _directions(context: RankingContext, by: By) -> FloatMatrix:
    if by == "vectors":
        return unit_rows(context.vectors.targets)
    if by == "text":
        logger.warning('by = "text" is now called by = "content"; please rename it')
    return context.origins.joined().matrix


def _require_cosine(cosine_max: float, rule: str) -> None:
    if not 0 <= cosine_max <= 1:
        raise ConfigError(f"{rule}: cosine_max = {cosine_max} is not in 0..1")
