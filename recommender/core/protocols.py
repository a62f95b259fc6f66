"""Everything that can be swapped, one page.

An implementation is a frozen dataclass of its parameters with the one method named here. It maps
arrays to arrays and reads no clock; what it returns is never changed afterwards. `registry.py`
knows them by name, and `tests/contracts` runs each one through the suite of its protocol.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recommender.core.api_budget import PaidTexts
from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.interactions import Interactions
from recommender.core.neighbours import Neighbours
from recommender.core.telemetry import Progress
from recommender.core.vectors import Embeddings, ItemVectors, Origins


class ContentOrigin(Protocol):
    """Gives items vectors that rest on the items themselves."""

    def fingerprint(self) -> str:
        """A digest of whatever changes the vectors; imports nothing heavy."""

    def embed(self, catalogue: Catalogue, progress: Progress) -> Embeddings:
        """Embeddings of all items; an item that the origin does not know has a zero row."""


class TextEncoder(Protocol):
    """Turns documents into vectors: a content origin of which each text is encoded only once."""

    def fingerprint(self) -> str:
        """A digest of whatever changes the vectors, weights included; imports nothing heavy."""

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d) of length one; a blank document has a zero row."""


@runtime_checkable
class PaidEncoder(TextEncoder, Protocol):
    """A text encoder that calls a provider and pays for it."""

    def paying(self, paid: PaidTexts) -> TextEncoder:
        """The same encoder with this ledger of what was paid for."""


@runtime_checkable
class CostlyEncoder(TextEncoder, Protocol):
    """A text encoder that says what it takes."""

    def cost(self) -> Sequence[str]:
        """What is used, then its memory or its price: short lines."""


class InteractionModel(Protocol):
    """Learns one vector per item from interactions."""

    def fit(self, interactions: Interactions, progress: Progress) -> Embeddings:
        """Embeddings of all items; support counts the distinct units (baskets, ...) of an item."""


class FittedFusion(Protocol):
    """A fusion that has seen its data: arrays and one `apply`, also for items not in the fit."""

    def apply(self, origins: Origins, catalogue: Catalogue) -> ItemVectors:
        """Item vectors of the items that `origins` and `catalogue` describe."""

    def columns(self) -> Columns:
        """What was learned, as arrays."""


class Fusion(Protocol):
    """Makes item vectors of embeddings."""

    def fuse(
        self, origins: Origins, catalogue: Catalogue, interactions: Interactions
    ) -> FittedFusion:
        """Fit to one shop. Raises: ConfigError where it needs embeddings that are not there."""

    def load(self, columns: Columns, origins: Origins) -> FittedFusion:
        """Undo `columns` of a fusion that was fitted to embeddings of these names."""


class VectorIndex(Protocol):
    """Finds the targets with the largest inner product."""

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """At most k neighbours for each query (b, d), equal scores by row."""

    def columns(self) -> Columns:
        """What building it learned, as arrays; empty where building is cheap."""


class IndexBuilder(Protocol):
    """Builds a vector index."""

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Index the targets (n, d); rows may differ in length, zero rows are never found."""

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """The index that `build` made of the same targets, from its columns."""


class PreparedGenerator(Protocol):
    """A candidate source that has seen the vectors and interactions of one build."""

    def propose(self, rows: Rows, k: int) -> Neighbours:
        """At most k candidates for each of the b rows; the item itself may be among them.

        Scores are inner products of the item vectors, whoever proposes.
        """


class CandidateGenerator(Protocol):
    """Proposes candidates for items."""

    near_by_content: ClassVar[bool]
    """Whether it reads which items are near by content."""

    def prepare(self, context: RankingContext, index: VectorIndex) -> PreparedGenerator:
        """Make ready for one build; `index` holds the targets of the item vectors."""


class Scorer(Protocol):
    """A ranker that has seen what lists are chosen from."""

    def rank(self, rows: Rows, candidates: Neighbours) -> Neighbours:
        """The same candidates of the b rows, best first, with scores in (0, 1]."""


class FittedRanker(Protocol):
    """A ranker that has learned: arrays, and an order for any build of the shop."""

    def prepare(self, context: RankingContext) -> Scorer:
        """Make ready for one build."""

    def columns(self) -> Columns:
        """What was learned, as arrays."""


@dataclass(frozen=True, slots=True)
class TrainingQueries:
    """Items of an earlier time that ask: what was known then, and what would be proposed."""

    context: RankingContext
    rows: Rows
    propose: Callable[[Rows], Neighbours]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a ranker learns from: queries of an earlier time, and the interactions after it.

    In one part everything was known; in another the asking items had lost all their events.
    """

    queries: tuple[TrainingQueries, ...]
    later: Interactions


class Ranker(Protocol):
    """Orders candidates."""

    learns: ClassVar[bool]
    """Whether `fit` needs a training set; such a ranker also reads who is near by content."""

    by_popularity: ClassVar[bool]
    """Whether its lists show what is popular, rather than what is near the asking item."""

    def fit(self, training_set: TrainingSet | None) -> FittedRanker:
        """Learn; no training set is given where the history of the shop is too short."""

    def load(self, columns: Columns) -> FittedRanker:
        """Undo `columns` of a fitted ranker."""


class PreparedFilter(Protocol):
    """A filter that is ready for one build."""

    def keep(self, rows: Rows, candidates: Neighbours) -> NDArray[np.bool_]:
        """Which candidates (b, k) of the b rows stay; candidates come best first.

        What stays obeys the filter, and so does each part of it; further candidates behind change
        nothing of what stays before them.
        """


class Filter(Protocol):
    """Keeps or drops candidates."""

    by_similarity: ClassVar[bool]
    """Whether it reads embeddings or item vectors, rather than what is known of the items."""

    def prepare(self, context: RankingContext) -> PreparedFilter:
        """Make ready for one build."""
