"""Refresh: new and changed items get their lists, and stand in others', without a reindex.

The models of the live build are applied as they were fitted: the text encoder, the fusion, the
index, the rankers. What comes of it is laid over the full generation as an overlay, until the next
reindex has read the items itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from recommender import pipeline, registry
from recommender.build.contents import catalogue_of, find_build, interactions_of
from recommender.build.job import Job, Kinds, text_encoders
from recommender.build.list_steps import Plan
from recommender.build.steps import PlacementPlan, embeddings_of, neighbours_of, vectors_of
from recommender.build.vector_steps import FITTED
from recommender.core import item_id
from recommender.core.arrays import FloatMatrix, FloatVector
from recommender.core.catalogue import Catalogue
from recommender.core.context import CoOccurrenceCounts, RankingContext
from recommender.core.documents import documents
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.lists import NamedLists
from recommender.core.protocols import FittedFusion, FittedRanker, VectorIndex
from recommender.core.recipe import Placement
from recommender.core.vectors import Embeddings, Origins
from recommender.errors import ArtifactError, ConfigError, DataError
from recommender.live.encoder_subprocess import EncoderSubprocess, ReferenceVectors
from recommender.live.fold_in import Beside, extended
from recommender.live.insertion import ReverseNeighbours
from recommender.live.list_deltas import ListDelta, NamedEntries, apply_delta
from recommender.live.live_state import LiveState
from recommender.live.overlays import (
    OverlayRecord,
    Refreshed,
    Rewrite,
    base_lists,
    combined_catalogue,
    lay,
)
from recommender.merchandising.application import RuleApplication, rules_in_force
from recommender.publishing.publisher import Publisher
from recommender.ranking.chooser import Chooser, prepare
from recommender.ranking.evidence import EvidenceScale

KNOWN = 4
"""Texts of the build that tell whether a text model is understood."""


@dataclass(frozen=True, slots=True)
class Refreshment:
    """What a refresh did: the overlay, which items are new or were known, and whom they reached.

    `entered` counts, by placement, the lists of other items in which refreshed items now stand.
    """

    generation: Generation
    new: tuple[str, ...]
    known: tuple[str, ...]
    entered: Mapping[str, int]


def refresh(
    job: Job,
    live: LiveState,
    publisher: Publisher,
    items: Catalogue,
    encoder: EncoderSubprocess | None = None,
) -> Refreshment:
    """Give `items` their lists, and let them enter those of others, over what is live.

    `job` is that of the live run, on this machine; `encoder` its first text encoder where that runs
    in another process. What was refreshed since, and the rules in force, stay.

    Raises: ConfigError where a text encoder here is not the run's; DataError where a content origin
    has vectors of other dimensions than in the build; ArtifactError where the build
    cannot be had any more; StoreUnavailable, also where something else went live meanwhile. What
    was live stays live.
    """
    _require_fitting(job)
    planned = pipeline.plan(job)
    if not planned.makes(live.run.build):
        raise ArtifactError(
            f"generation {live.number} was built by another version of recommender, or "
            "its artifacts are incomplete; run recommender reindex"
        )
    build = _Build.of(job, planned, live.record, items)
    changed = build.changed()
    texts = [documents(items)[place] for place in changed.tolist()]
    if encoder is not None:
        encoder.compare_with(build.reference())
        encoder.request(texts)
    base = base_lists(job.artifacts, live.record)
    choices = [build.choice(placement) for placement in planned.placements]
    if encoder is not None and not encoder.ready():
        build.rehearse(choices)
    fresh = build.fresh(changed, _encoded(job, texts, encoder))
    deltas = tuple(
        build.delta(choice, lists, fresh) for choice, lists in zip(choices, base, strict=True)
    )
    record = live.record.with_refreshed(replace(fresh, deltas=deltas))
    generation, made = lay(
        job.artifacts, publisher, record, base=base, seen=live.pointer, rewrite=build.rewrite()
    )
    before = base[0].ids
    return Refreshment(
        generation,
        tuple(item for item in items.ids if item not in before),
        tuple(item for item in items.ids if item in before),
        {lists.lists.placement: _holders(lists, items.ids) for lists in made},
    )


def _holders(lists: NamedLists, items: ItemIds) -> int:
    """In how many lists of other items some items are."""
    held = np.zeros(len(lists.ids), dtype=bool)
    held[lists.ids.rows(items)] = True
    at = np.flatnonzero(held[lists.lists.entries.rows])
    holders = np.unique(np.searchsorted(lists.lists.offsets, at, side="right") - 1)
    return int((~held[holders]).sum())


def checked(items: Sequence[str]) -> tuple[str, ...]:
    """Ids to refresh, each once. Raises: ConfigError where there is none, or one is no id."""
    ids = tuple(dict.fromkeys(items))
    if not ids:
        raise ConfigError("no item: name some, or a --file with one id per line")
    for item in ids:
        if reason := item_id.fault(item):
            raise ConfigError(f"item id {item!r:.60}: {reason}")
    return ids


def _require_fitting(job: Job) -> None:
    if job.source.catalogue.scope == "with_interactions":
        raise ConfigError(
            'catalogue.scope = "with_interactions" leaves new items out; set it to "all" and run '
            "recommender reindex"
        )


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the live lists of one placement were chosen with, as it was fitted.

    `base` is the context of the build, but for its catalogue, which has the refreshed items.
    """

    placement: Placement
    base: RankingContext
    index: VectorIndex
    fusion: FittedFusion
    ranker: FittedRanker

    def chooser(self, known: Refreshed) -> tuple[Chooser, RankingContext]:
        """The chooser for the items of the build and those refreshed, and what it chooses from."""
        context = extended(self.base, known.items, known.content, self.fusion)
        rows = context.catalogue.ids.rows(known.items.ids)
        beside = Beside(self.index, context.vectors.targets[rows], rows)
        return prepare(self.placement, context, beside, self.ranker), context


@dataclass(frozen=True, slots=True)
class _Build:
    """The live build, what was refreshed since, and the `items` (k,) to be refreshed now.

    `catalogue` is that of the build with all of them in it, `before` the one without.
    """

    job: Job
    record: OverlayRecord
    items: Catalogue
    before: Catalogue
    catalogue: Catalogue
    interactions: Interactions
    counted: Callable[[Kinds], CoOccurrenceCounts]
    content: Mapping[str, Embeddings]
    behaviour: Mapping[str, Embeddings]

    @classmethod
    def of(cls, job: Job, planned: Plan, record: OverlayRecord, items: Catalogue) -> "_Build":
        """Load what all placements need."""
        read = planned.read.artifact()
        before, interactions = catalogue_of(read), interactions_of(read)
        catalogue = combined_catalogue(before, record).overlaid(items)
        interactions = replace(interactions, n_items=len(catalogue))
        inputs = [placement.inputs for placement in planned.placements]
        fitted = {step.key: step for one in inputs for step in one.behaviour.values()}
        users_min = job.recipe.trust.users_min
        counted = cache(
            lambda kinds: CoOccurrenceCounts.of(interactions.of_kinds(kinds), users_min)
        )
        return cls(
            job,
            record,
            items,
            before,
            catalogue,
            interactions,
            counted,
            embeddings_of(inputs[0].content),
            embeddings_of(fitted),
        )

    def choice(self, planned: PlacementPlan) -> _Choice:
        """Load what one placement needs."""
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
        return _Choice(
            placement,
            base,
            builder.restore(base.vectors.targets, inputs.index.artifact().columns()),
            registry.fusion(placement.fusion).load(columns, origins),
            inputs.fitted_ranker(),
        )

    def reference(self) -> ReferenceVectors:
        """Some texts of the build with their vectors, from the shortest one to the longest.

        The vectors are those of the first text encoder.
        """
        before, text = self.before, self.content[next(iter(text_encoders(self.job)))]
        lengths = np.zeros(len(before), dtype=np.int64)
        for texts in (before.title, before.description):
            lengths += np.fromiter(map(len, texts), np.int64, len(before))
        by_length = np.argsort(lengths, kind="stable")
        by_length = by_length[text.support[by_length] > 0]
        places = np.linspace(0, len(by_length) - 1, KNOWN).astype(np.int64)
        rows = by_length[np.unique(places[places >= 0])]
        return ReferenceVectors(tuple(documents(before.drawn(self.items, rows))), text.matrix[rows])

    def rehearse(self, choices: Sequence[_Choice]) -> None:
        """Count, and import, what choosing needs, while the texts are still being encoded."""
        for choice in choices:
            blank = {name: self._blank(origin) for name, origin in self.content.items()}
            unknown = {name: Embeddings.of_rows(*nothing) for name, nothing in blank.items()}
            choice.chooser(self._known(self._refreshed(unknown)))

    def changed(self) -> NDArray[np.intp]:
        """The places (c,) of the items whose text is not that of the build."""
        rows, texts = self.before.ids.rows(self.items.ids), documents(self.items)
        there = np.flatnonzero(rows >= 0)
        were = documents(self.before.drawn(self.items, rows[there]))
        same = np.zeros(len(self.items), dtype=bool)
        same[there] = [texts[at] == was for at, was in zip(there, were, strict=True)]
        return np.flatnonzero(~same)

    def fresh(
        self, changed: NDArray[np.intp], vectors: Mapping[str, FloatMatrix | None]
    ) -> Refreshed:
        """The items with their content: `vectors` (c, d) of each text encoder for changed texts."""
        return self._refreshed(
            {
                name: self._texts(origin, changed, vectors[name])
                if name in vectors
                else self._given(name, origin)
                for name, origin in self.content.items()
            }
        )

    def _texts(
        self, origin: Embeddings, changed: NDArray[np.intp], vectors: FloatMatrix | None
    ) -> Embeddings:
        """The text embeddings of the items, as in the build where the text did not change."""
        matrix, words = self._blank(origin)
        same = np.setdiff1d(np.arange(len(self.items)), changed)
        rows = self.before.ids.rows(self.items.ids)
        matrix[same] = origin.matrix[rows[same]]
        if vectors is not None:
            matrix[changed] = vectors
        return Embeddings.of_rows(matrix, words)

    def _given(self, name: str, origin: Embeddings) -> Embeddings:
        """The embeddings of the items from an origin that is no text encoder, as it is now."""
        given = registry.content_origin(self.job.recipe.content[name])
        embeddings = given.embed(self.items, self.job.progress)
        if embeddings.matrix.shape[1] != origin.matrix.shape[1]:
            raise DataError(
                f"recipe.content.{name}: vectors of {embeddings.matrix.shape[1]} dimensions, the "
                f"live build has {origin.matrix.shape[1]}; run recommender reindex"
            )
        return embeddings

    def delta(self, choice: _Choice, lists: NamedLists, fresh: Refreshed) -> ListDelta:
        """What the fresh items change in one placement."""
        chooser, context = choice.chooser(self._known(fresh))
        scale = EvidenceScale(context.origins, EvidenceScale.measured(choice.base.origins).near)
        ids, depth = self.catalogue.ids, choice.placement.depth
        rows = ids.rows(self.items.ids)
        own = chooser.chosen(rows, scale).entries[:, :depth]
        holders = np.repeat(rows, own.found.sum(axis=1))
        earlier = self.record.delta(choice.placement.name)
        before = NamedLists(ids, apply_delta(lists, ids, earlier))
        near = ReverseNeighbours(chooser, context.vectors, scale, before, rows)
        insertions = near.insertions(fresh.provisional)
        return ListDelta(
            choice.placement.name,
            choice.placement.shown,
            choice.placement.depth,
            self.items.ids.ids,
            ~self.items.in_stock,
            NamedEntries.of(ids, holders, own[own.found]),
            insertions.entries,
            insertions.provisional,
            insertions.given,
        )

    def rewrite(self) -> Rewrite | None:
        """The merchandisers' rules in force over all items; None where there are none."""
        rules = rules_in_force(find_build(self.job.artifacts, self.record.base), self.record.rules)
        if not rules.rules:
            return None
        placements = {placement.name: placement for placement in self.job.recipe.placements}
        return RuleApplication.of(rules, self.catalogue, self.interactions).rewrite(placements)

    def _blank(self, origin: Embeddings) -> tuple[FloatMatrix, FloatVector]:
        """Vectors (k, d) of nothing, and the words (k,) of each text."""
        words = [len(document.split()) for document in documents(self.items)]
        matrix = np.zeros((len(words), origin.matrix.shape[1]), dtype=np.float32)
        return matrix, np.array(words, dtype=np.float32)

    def _refreshed(self, content: Mapping[str, Embeddings]) -> Refreshed:
        sold = np.zeros(len(self.before) + 1, dtype=bool)
        sold[self.interactions.item] = True
        rows = self.before.ids.rows(self.items.ids)
        return Refreshed(self.items, content, ~sold[rows], deltas=())

    def _known(self, fresh: Refreshed) -> Refreshed:
        earlier = self.record.refreshed
        return fresh if earlier is None else earlier.joined(fresh)


def _encoded(
    job: Job, texts: Sequence[str], encoder: EncoderSubprocess | None
) -> dict[str, FloatMatrix | None]:
    """Vectors (c, d) of texts by each text encoder; where there are none, no model is loaded."""
    vectors: dict[str, FloatMatrix | None] = {}
    for place, (name, pinned) in enumerate(text_encoders(job).items()):
        if encoder is not None and place == 0:
            vectors[name] = encoder.result()
        else:
            vectors[name] = pinned.encoder().encode(texts, job.progress) if texts else None
    return vectors
