"""Everything that can be swapped, and the context that lists are chosen from, on one page.

An implementation is a frozen dataclass of its parameters with the methods of its protocol. It maps
arrays to arrays, reads no clock, and never changes what it has returned. `registry.py` lists the
implementations by name, and `tests/contracts` runs each through the suite of its protocol.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recommender.core.api_budget import PaidTexts
from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.co_occurrence import CoOccurrence, Units
from recommender.core.half_life import HalfLife, learned_half_life
from recommender.core.interactions import Interactions, Unit
from recommender.core.neighbours import Neighbours
from recommender.core.telemetry import Progress
from recommender.core.vectors import Embeddings, ItemVectors, Origins


class ContentOrigin(Protocol):
    """Embeds items by their own content, such as text or images."""

    def fingerprint(self) -> str:
        """A digest of everything that changes the vectors; imports no heavy library."""

    def embed(self, catalogue: Catalogue, progress: Progress) -> Embeddings:
        """Embeddings of all items; an item that the origin does not know has a zero row."""


class TextEncoder(Protocol):
    """Encodes documents as vectors: a content origin that encodes each text only once."""

    def fingerprint(self) -> str:
        """A digest of everything that changes the vectors, weights included; no heavy imports."""

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d) of length one; a blank document has a zero row."""


@runtime_checkable
class PaidEncoder(TextEncoder, Protocol):
    """A text encoder that calls a provider and pays for it."""

    def paying(self, paid: PaidTexts) -> TextEncoder:
        """The same encoder with this ledger of paid texts."""


@runtime_checkable
class CostlyEncoder(TextEncoder, Protocol):
    """A text encoder that reports the resources it needs."""

    def cost(self) -> Sequence[str]:
        """Short lines: the model, then its memory or its price."""


@runtime_checkable
class VocabularyEncoder(TextEncoder, Protocol):
    """A text encoder that has a vocabulary."""

    def tokens(self, words: Sequence[str]) -> Sequence[tuple[int, int]]:
        """How many tokens each word (w,) has, and how many of these are unknown."""


class InteractionModel(Protocol):
    """Learns one vector per item from interactions."""

    def fit(self, interactions: Interactions, progress: Progress) -> Embeddings:
        """Embeddings of all items; support counts the distinct units (baskets, ...) of an item."""


class FittedFusion(Protocol):
    """A fusion that is fitted to a shop; it applies to new items too."""

    def apply(self, origins: Origins, catalogue: Catalogue) -> ItemVectors:
        """Item vectors of the items that `origins` and `catalogue` describe."""

    def columns(self) -> Columns:
        """The learned parameters, as arrays."""


class Fusion(Protocol):
    """Combines embeddings into item vectors."""

    def fuse(
        self, origins: Origins, catalogue: Catalogue, interactions: Interactions
    ) -> FittedFusion:
        """Fit to one shop. Raises: ConfigError if embeddings that it needs are missing."""

    def load(self, columns: Columns, origins: Origins) -> FittedFusion:
        """Undo `columns` of a fusion that was fitted to embeddings of these names."""


class VectorIndex(Protocol):
    """Finds the targets with the largest inner product."""

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """At most k neighbours for each query (b, d), ties in row order."""

    def columns(self) -> Columns:
        """What training learned, as arrays; empty if building the index again is cheap."""


class IndexBuilder(Protocol):
    """Builds a vector index."""

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Index the targets (n, d) of any length; zero rows are never found."""

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """Restore the index that `build` made of the same targets."""


CoOccurrenceCounts = Callable[[Unit, HalfLife], CoOccurrence]
"""The co-occurrence of all items by unit and half-life; equal requests are counted once."""


def co_occurrence_counts(interactions: Interactions, users_min: int = 1) -> CoOccurrenceCounts:
    """Counts what `users_min` distinct users had together, when first asked."""
    units = cache(partial(Units.of, interactions))
    learned = cache(lambda unit: learned_half_life(units(unit)))
    weighed = cache(lambda unit, days: CoOccurrence.weighed(units(unit), days, users_min))
    return lambda unit, half_life: weighed(
        unit, learned(unit) if half_life == "auto" else float(half_life) or np.inf
    )


@dataclass(frozen=True, slots=True)
class RankingContext:
    """Catalogue, interactions, embeddings by origin and the item vectors made of them.

    `near_by_content` finds the nearest items by content of all items (n, k), once, when first
    asked. Only what `users_min` distinct users had together counts as behaviour of a pair.
    `counted` may be shared with another context of the same interactions.
    """

    catalogue: Catalogue
    interactions: Interactions
    origins: Origins
    vectors: ItemVectors
    near_by_content: Callable[[], Neighbours]
    users_min: int = 1
    counted: CoOccurrenceCounts | None = None

    def __post_init__(self) -> None:
        if self.counted is None:
            counted = co_occurrence_counts(self.interactions, self.users_min)
            object.__setattr__(self, "counted", counted)

    def rates(self, unit: Unit = "auto", half_life_days: HalfLife = 0) -> CoOccurrence:
        """The co-occurrence of all items, by the weight of their units at that half-life."""
        counted = self.counted or co_occurrence_counts(self.interactions, self.users_min)
        return counted(unit, half_life_days)


class PreparedGenerator(Protocol):
    """A candidate generator that is ready for one build."""

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """At most k candidates for each of the b rows; the item itself may be among them.

        Scores are inner products of the item vectors for every generator.
        """


class CandidateGenerator(Protocol):
    """Proposes candidates for items."""

    near_by_content: ClassVar[bool]
    """Whether it reads the nearest items by content."""

    def prepare(self, context: RankingContext, index: VectorIndex) -> PreparedGenerator:
        """Make ready for one build; `index` holds the targets of the item vectors."""


class Scorer(Protocol):
    """A ranker that is ready for one build."""

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """The same candidates of the b rows, best first, with scores in (0, 1]."""


class FittedRanker(Protocol):
    """A ranker that has learned, and can score candidates of any build of the shop."""

    def prepare(self, context: RankingContext) -> Scorer:
        """Make ready for one build."""

    def columns(self) -> Columns:
        """The learned parameters, as arrays."""

    def summary(self) -> Mapping[str, Any]:
        """What the ranker found, for reports, as JSON values; empty after loading."""


@dataclass(frozen=True, slots=True)
class TrainingQueries:
    """Query items of an earlier time, with what was known then and a function that proposes."""

    context: RankingContext
    rows: Rows
    propose: Callable[[Rows], Neighbours]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a ranker learns from: queries of an earlier time, and the interactions after it.

    One part of the queries has all events of that time. In another, the query items have lost all
    of their events.
    """

    queries: tuple[TrainingQueries, ...]
    later: Interactions


class Ranker(Protocol):
    """Ranks candidates."""

    learns: ClassVar[bool]
    """Whether `fit` needs a training set; such a ranker also reads the nearest items by content."""

    by_popularity: ClassVar[bool]
    """Whether its lists show popular items rather than items near the query item."""

    def fit(self, training_set: TrainingSet | None) -> FittedRanker:
        """Learn; there is no training set if the history of the shop is too short."""

    def load(self, columns: Columns) -> FittedRanker:
        """Undo `columns` of a fitted ranker."""


class PreparedFilter(Protocol):
    """A filter that is ready for one build."""

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) of the b rows stay; candidates come best first.

        The candidates that stay pass the filter, and so does every subset of them. Candidates
        further back do not affect those before them.
        """


class Filter(Protocol):
    """Keeps or drops candidates."""

    by_similarity: ClassVar[bool]
    """Whether it reads embeddings or item vectors rather than facts about the items."""

    def prepare(self, context: RankingContext) -> PreparedFilter:
        """Make ready for one build."""
