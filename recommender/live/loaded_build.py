"""Loaded build: the fitted models of the live build, and the content of items to be refreshed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.build.contents import catalogue_of, interactions_of
from recommender.build.job import Job, Kinds, content_origin, text_encoders
from recommender.build.list_steps import Plan
from recommender.build.steps import PlacementPlan, embeddings_of, neighbours_of, vectors_of
from recommender.build.vector_steps import FITTED
from recommender.core.arrays import FloatMatrix, FloatVector, centred
from recommender.core.catalogue import Catalogue, documents
from recommender.core.interactions import Interactions
from recommender.core.protocols import (
    CoOccurrenceCounts,
    FittedFusion,
    FittedRanker,
    RankingContext,
    VectorIndex,
    co_occurrence_counts,
)
from recommender.core.recipe import Placement
from recommender.core.vectors import Embeddings, Origins
from recommender.errors import DataError
from recommender.live.encoder_subprocess import ReferenceVectors
from recommender.live.fold_in import ExtendedIndex, extended
from recommender.live.overlays import OverlayRecord, Refreshed, combined_catalogue
from recommender.ranking.chooser import Chooser, prepare
from recommender.readers.boilerplate import without_sentences

N_REFERENCE = 4
"""Texts of the build whose vectors an encoder must reproduce."""


@dataclass(frozen=True, slots=True)
class LoadedPlacement:
    """The fitted models with which the live lists of one placement were chosen.

    `base` is the ranking context of the build, except that its catalogue has the refreshed items.
    """

    placement: Placement
    base: RankingContext
    index: VectorIndex
    fusion: FittedFusion
    ranker: FittedRanker

    def chooser(self, refreshed: Refreshed) -> tuple[Chooser, RankingContext]:
        """A chooser over the items of the build and the refreshed ones, and its context."""
        context = extended(self.base, refreshed.items, refreshed.content, self.fusion)
        rows = context.catalogue.ids.rows(refreshed.items.ids)
        index = ExtendedIndex(self.index, context.vectors.targets[rows], rows)
        return prepare(self.placement, context, index, self.ranker), context


@dataclass(frozen=True, slots=True)
class LoadedBuild:
    """The live build, the record of its overlay, and the `items` (k,) to refresh now.

    `centres` are those to which the vectors of content origins are relative, by name.
    `before` is the catalogue of the build, `catalogue` the same with all refreshed items.
    """

    job: Job
    record: OverlayRecord
    items: Catalogue
    before: Catalogue
    catalogue: Catalogue
    interactions: Interactions
    counted: Callable[[Kinds], CoOccurrenceCounts]
    content: Mapping[str, Embeddings]
    centres: Mapping[str, FloatVector]
    behaviour: Mapping[str, Embeddings]

    @classmethod
    def of(cls, job: Job, planned: Plan, record: OverlayRecord, items: Catalogue) -> "LoadedBuild":
        """Load what all placements need. Raises: ArtifactError."""
        read = planned.read.artifact()
        items, _ = without_sentences(items, read.summary["report"]["boilerplate"])
        before, interactions = catalogue_of(read), interactions_of(read)
        catalogue = combined_catalogue(before, record).overlaid(items)
        interactions = replace(interactions, n_items=len(catalogue))
        inputs = [placement.inputs for placement in planned.placements]
        fitted = {step.key: step for one in inputs for step in one.behaviour.values()}
        users_min = job.recipe.trust.users_min
        return cls(
            job,
            record,
            items,
            before,
            catalogue,
            interactions,
            cache(lambda kinds: co_occurrence_counts(interactions.of_kinds(kinds), users_min)),
            embeddings_of(inputs[0].content),
            {
                name: step.artifact().columns("centre")["centre"]
                for name, step in inputs[0].content.items()
                if "centre" in step.artifact().column_names
            },
            embeddings_of(fitted),
        )

    def placement(self, planned: PlacementPlan) -> LoadedPlacement:
        """Load what one placement needs. Raises: ArtifactError."""
        inputs, placement = planned.inputs, planned.inputs.placement
        behaviour = {name: self.behaviour[step.key] for name, step in inputs.behaviour.items()}
        origins = Origins(self.content, behaviour)
        base = RankingContext(
            self.catalogue,
            self.interactions.of_kinds(placement.kinds),
            origins,
            vectors_of(inputs.vectors),
            cache(lambda: neighbours_of(inputs.near)),
            self.job.recipe.trust.users_min,
            self.counted(placement.kinds),
        )
        vectors = inputs.vectors.artifact()
        fitted = vectors.columns(*(n for n in vectors.column_names if n.startswith(FITTED)))
        columns = {name.removeprefix(FITTED): array for name, array in fitted.items()}
        builder = registry.index_builder(self.job.recipe.index)
        return LoadedPlacement(
            placement,
            base,
            builder.restore(base.vectors.targets, inputs.index.artifact().columns()),
            registry.fusion(placement.fusion).load(columns, origins),
            inputs.fitted_ranker(),
        )

    def reference(self) -> ReferenceVectors:
        """Some texts of the build, short to long, with their vectors by the first text encoder."""
        before, text = self.before, self.content[next(iter(text_encoders(self.job)))]
        lengths = np.zeros(len(before), dtype=np.int64)
        for texts in (before.title, before.description):
            lengths += np.fromiter(map(len, texts), np.int64, len(before))
        by_length = np.argsort(lengths, kind="stable")
        by_length = by_length[text.support[by_length] > 0]
        places = np.linspace(0, len(by_length) - 1, N_REFERENCE).astype(np.int64)
        rows = by_length[np.unique(places[places >= 0])]
        return ReferenceVectors(tuple(documents(before.drawn(self.items, rows))), text.matrix[rows])

    def changed(self) -> NDArray[np.intp]:
        """The places (c,) of the items whose text differs from that in the build."""
        rows, texts = self.before.ids.rows(self.items.ids), documents(self.items)
        there = np.flatnonzero(rows >= 0)
        earlier = documents(self.before.drawn(self.items, rows[there]))
        same = np.zeros(len(self.items), dtype=bool)
        same[there] = [texts[at] == text for at, text in zip(there, earlier, strict=True)]
        return np.flatnonzero(~same)

    def refreshed(
        self, changed: NDArray[np.intp], vectors: Mapping[str, FloatMatrix | None]
    ) -> Refreshed:
        """The items with their content: `vectors` (c, d) of each text encoder for changed texts."""
        return self._with_content(
            {
                name: self._texts(origin, changed, vectors[name])
                if name in vectors
                else self._given(name, origin)
                for name, origin in self.content.items()
            }
        )

    def placeholder(self) -> Refreshed:
        """The items without any content."""
        empty = {name: Embeddings.of_rows(*self._blank(one)) for name, one in self.content.items()}
        return self._with_content(empty)

    def with_earlier(self, fresh: Refreshed) -> Refreshed:
        """The items that were refreshed since the build, then the fresh ones."""
        earlier = self.record.refreshed
        return fresh if earlier is None else earlier.joined(fresh)

    def _texts(
        self, origin: Embeddings, changed: NDArray[np.intp], vectors: FloatMatrix | None
    ) -> Embeddings:
        """The text embeddings of the items, those of the build where the text did not change."""
        matrix, n_words = self._blank(origin)
        same = np.setdiff1d(np.arange(len(self.items)), changed)
        rows = self.before.ids.rows(self.items.ids)
        matrix[same] = origin.matrix[rows[same]]
        if vectors is not None:
            matrix[changed] = vectors
        return Embeddings.of_rows(matrix, n_words)

    def _given(self, name: str, origin: Embeddings) -> Embeddings:
        """The current embeddings of the items from an origin that is not a text encoder."""
        given = content_origin(self.job, name)
        embeddings = given.embed(self.items, self.job.progress)
        if embeddings.matrix.shape[1] != origin.matrix.shape[1]:
            raise DataError(
                f"recipe.content.{name}: vectors of {embeddings.matrix.shape[1]} dimensions, the "
                f"live build has {origin.matrix.shape[1]}; run recommender reindex"
            )
        if name not in self.centres:
            return embeddings
        relative = centred(embeddings.matrix, self.centres[name])
        return Embeddings.of_rows(relative, embeddings.support)

    def _blank(self, origin: Embeddings) -> tuple[FloatMatrix, FloatVector]:
        """Zero vectors (k, d), and the number of words (k,) of each text."""
        n_words = [len(document.split()) for document in documents(self.items)]
        matrix = np.zeros((len(n_words), origin.matrix.shape[1]), dtype=np.float32)
        return matrix, np.array(n_words, dtype=np.float32)

    def _with_content(self, content: Mapping[str, Embeddings]) -> Refreshed:
        has_events = np.zeros(len(self.before) + 1, dtype=bool)
        has_events[self.interactions.item] = True
        rows = self.before.ids.rows(self.items.ids)
        return Refreshed(self.items, content, ~has_events[rows], deltas=())
