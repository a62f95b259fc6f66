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
from recommender.build.job import Job, Kinds, encoder_of
from recommender.build.steps import Step, named, steps_of
from recommender.core import item_id
from recommender.core.arrays import FloatMatrix, FloatVector
from recommender.core.catalogue import Catalogue
from recommender.core.context import CoOccurrenceCounts, RankingContext
from recommender.core.documents import documents
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.lists import NamedLists
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import FittedFusion, FittedRanker, VectorIndex
from recommender.core.recipe import TEXT, Placement
from recommender.core.vectors import Embeddings, ItemVectors
from recommender.errors import ArtifactError, ConfigError
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
_FITTED = "fitted."


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

    `job` is that of the live run, on this machine; `encoder` its text encoder where that runs
    in another process. What was refreshed since, and the rules in force, stay.

    Raises: ConfigError where the text encoder here is not the run's; ArtifactError where the build
    cannot be had any more; StoreUnavailable, also where something else went live meanwhile. What
    was live stays live.
    """
    _require_fitting(job)
    goal = pipeline.plan(job)
    if goal.key != live.run.build:
        raise ArtifactError(
            f"generation {live.number} was built by another version of recommender, or "
            "its artifacts are incomplete; run recommender reindex"
        )
    build = _Build.of(job, goal, live.record, items)
    changed = build.changed()
    texts = [documents(items)[place] for place in changed.tolist()]
    if encoder is not None:
        encoder.compare_with(build.reference())
        encoder.request(texts)
    base = base_lists(job.artifacts, live.record)
    choices = [build.choice(placement) for placement in job.recipe.placements]
    if encoder is not None and not encoder.ready():
        build.rehearse(choices)
    fresh = build.fresh(changed, _encoded(job, texts) if encoder is None else encoder.result())
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
        context = extended(self.base, known.items, known.text, self.fusion)
        rows = context.catalogue.ids.rows(known.items.ids)
        beside = Beside(self.index, context.vectors.targets[rows], rows)
        return prepare(self.placement, context, beside, self.ranker), context


@dataclass(frozen=True, slots=True)
class _Build:
    """The live build, what was refreshed since, and the `items` (k,) to be refreshed now.

    `catalogue` is that of the build with all of them in it, `before` the one without.
    """

    job: Job
    goal: Step
    record: OverlayRecord
    items: Catalogue
    before: Catalogue
    catalogue: Catalogue
    interactions: Interactions
    counted: Callable[[Kinds], CoOccurrenceCounts]
    embeddings: Mapping[str, Embeddings]

    @classmethod
    def of(cls, job: Job, goal: Step, record: OverlayRecord, items: Catalogue) -> "_Build":
        """Load what all placements need."""
        read = named(goal, "read").artifact()
        before, interactions = catalogue_of(read), interactions_of(read)
        catalogue = combined_catalogue(before, record).overlaid(items)
        interactions = replace(interactions, n_items=len(catalogue))
        embeddings = {
            step.name: Embeddings.from_columns(step.artifact().columns())
            for step in steps_of(goal)
            if step.name == TEXT or step.name.startswith("fit.")
        }
        users_min = job.recipe.trust.users_min
        counted = cache(
            lambda kinds: CoOccurrenceCounts.of(interactions.of_kinds(kinds), users_min)
        )
        return cls(job, goal, record, items, before, catalogue, interactions, counted, embeddings)

    def choice(self, placement: Placement) -> _Choice:
        """Load what one placement needs."""
        needs = named(self.goal, f"choose.{placement.name}").needs
        of_kind = {step.name.partition(".")[0]: step for step in needs}
        origins = {step.name.split(".")[1]: step.name for step in needs if step.name[:4] == "fit."}
        embeddings = {name: self.embeddings[step] for name, step in {TEXT: TEXT, **origins}.items()}
        vectors = of_kind["fuse"].artifact()
        fitted = [name for name in vectors.column_names if name.startswith(_FITTED)]
        columns = vectors.columns(*fitted)
        base = RankingContext(
            self.catalogue,
            self.interactions.of_kinds(placement.kinds),
            embeddings,
            ItemVectors.from_columns(vectors.columns("queries", "targets", "bound")),
            cache(lambda: _neighbours(of_kind.get("near"))),
            self.job.recipe.trust.users_min,
            self.counted(placement.kinds),
        )
        builder = registry.index_builder(self.job.recipe.index)
        ranker, learned = registry.ranker(placement.ranker), of_kind.get("learn")
        return _Choice(
            placement,
            base,
            builder.restore(base.vectors.targets, of_kind["index"].artifact().columns()),
            registry.fusion(placement.fusion).load(
                {name.removeprefix(_FITTED): array for name, array in columns.items()}, embeddings
            ),
            ranker.load(learned.artifact().columns()) if learned else ranker.fit(None),
        )

    def reference(self) -> ReferenceVectors:
        """Some texts of the build with their vectors, from the shortest one to the longest."""
        before, text = self.before, self.embeddings[TEXT]
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
            choice.chooser(self._known(self._refreshed(Embeddings.of_rows(*self._blank()))))

    def changed(self) -> NDArray[np.intp]:
        """The places (c,) of the items whose text is not that of the build."""
        rows, texts = self.before.ids.rows(self.items.ids), documents(self.items)
        there = np.flatnonzero(rows >= 0)
        were = documents(self.before.drawn(self.items, rows[there]))
        same = np.zeros(len(self.items), dtype=bool)
        same[there] = [texts[at] == was for at, was in zip(there, were, strict=True)]
        return np.flatnonzero(~same)

    def fresh(self, changed: NDArray[np.intp], vectors: FloatMatrix | None) -> Refreshed:
        """The items with their text embeddings: `vectors` (c, d) where the text changed."""
        matrix, words = self._blank()
        same = np.setdiff1d(np.arange(len(self.items)), changed)
        rows = self.before.ids.rows(self.items.ids)
        matrix[same] = self.embeddings[TEXT].matrix[rows[same]]
        if vectors is not None:
            matrix[changed] = vectors
        return self._refreshed(Embeddings.of_rows(matrix, words))

    def delta(self, choice: _Choice, lists: NamedLists, fresh: Refreshed) -> ListDelta:
        """What the fresh items change in one placement."""
        chooser, context = choice.chooser(self._known(fresh))
        scale = EvidenceScale(
            context.embeddings, EvidenceScale.measured(choice.base.embeddings).near
        )
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

    def _blank(self) -> tuple[FloatMatrix, FloatVector]:
        """Vectors (k, d) of nothing, and the words (k,) of each text."""
        words = [len(document.split()) for document in documents(self.items)]
        width = self.embeddings[TEXT].matrix.shape[1]
        return np.zeros((len(words), width), dtype=np.float32), np.array(words, dtype=np.float32)

    def _refreshed(self, text: Embeddings) -> Refreshed:
        sold = np.zeros(len(self.before) + 1, dtype=bool)
        sold[self.interactions.item] = True
        rows = self.before.ids.rows(self.items.ids)
        return Refreshed(self.items, text, ~sold[rows], deltas=())

    def _known(self, fresh: Refreshed) -> Refreshed:
        earlier = self.record.refreshed
        return fresh if earlier is None else earlier.joined(fresh)


def _encoded(job: Job, texts: Sequence[str]) -> FloatMatrix | None:
    """Vectors (c, d) of texts; where there are none, no model is loaded."""
    return encoder_of(job).encode(texts, job.progress) if texts else None


def _neighbours(near: Step | None) -> Neighbours:
    if near is None:
        raise ArtifactError("the live build does not know who is near by text")
    columns = near.artifact().columns()
    return Neighbours(columns["rows"], columns["scores"])
