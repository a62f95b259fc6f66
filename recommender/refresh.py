"""Refresh: new and changed items get their lists, and stand in others', without a reindex.

The models of the live build are applied as they were fitted: the text encoder, the fusion, the
index, the rankers. What comes of it is laid over the full generation as an overlay, until the next
reindex has read the items itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from recommender import item_id, pipeline, registry
from recommender.arrays import Rows
from recommender.artifacts import ArtifactStore
from recommender.basis import Basis
from recommender.builds import catalogue_of, find_build, interactions_of
from recommender.catalogue import Catalogue
from recommender.chooser import Chooser, prepare
from recommender.comparison import Lists
from recommender.documents import documents
from recommender.entrances import Entering
from recommender.errors import ArtifactError, ConfigError
from recommender.evidence import EvidenceScale
from recommender.extension import Beside, extended
from recommender.generation import Generation
from recommender.ids import ItemIds
from recommender.interactions import Interactions
from recommender.learning import KIN
from recommender.neighbours import Neighbours
from recommender.overlays import OverlayRecord, Refreshed, Rewrite, base_lists, lay, live_record
from recommender.patches import Entries, Patch, patched
from recommender.pipeline import Job
from recommender.protocols import FittedFusion, FittedRanker
from recommender.recipe import TEXT, Placement
from recommender.rewriting import Rewriting, book_in_force
from recommender.runs import Run, find_run
from recommender.serving.codec import Pointer
from recommender.serving.publisher import Publisher
from recommender.steps import Step, named, steps_of
from recommender.vectors import Embeddings, ItemVectors


@dataclass(frozen=True, slots=True)
class Live:
    """What is live: the pointer, the record of what lies over the build, and the build's run."""

    seen: Pointer
    record: OverlayRecord
    run: Run

    @classmethod
    def of(cls, store: ArtifactStore, publisher: Publisher) -> "Live":
        """Look at it.

        Raises: DataError where nothing is live; ArtifactError where what it was made of is no
        longer there; StoreUnavailable.
        """
        seen, layers = publisher.layers()
        record, run = live_record(store, layers), find_run(store, seen.generation)
        if run is None or run.build != record.base:
            raise ArtifactError(
                f"no run {seen.generation} of shop {store.shop} is recorded here: the live "
                "generation was made elsewhere; run recommender reindex"
            )
        find_build(store, record.base)
        return cls(seen, record, run)


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
    live: Live,
    publisher: Publisher,
    items: Catalogue,
) -> Refreshment:
    """Give `items` their lists, and let them enter those of others, over what is live.

    `job` is that of the live run, on this machine. What was refreshed since, and the rules in
    force, stay.

    Raises: ConfigError where the text encoder here is not the run's; ArtifactError where the build
    cannot be had any more; StoreUnavailable, also where something else went live meanwhile. What
    was live stays live.
    """
    _require_fitting(job)
    goal = pipeline.plan(job)
    if goal.key != live.run.build:
        raise ArtifactError(
            f"generation {live.seen.generation} was built by another version of recommender, or "
            "its artifacts are incomplete; run recommender reindex"
        )
    base = base_lists(job.artifacts, live.record)
    shop = _Shop.of(job, goal, live.record, items)
    patches = tuple(
        shop.patch(Ground.of(goal, placement), lists)
        for placement, lists in zip(job.recipe.placements, base, strict=True)
    )
    record = live.record.with_refreshed(replace(shop.fresh, patches=patches))
    generation, made = lay(
        job.artifacts, publisher, record, base=base, seen=live.seen, rewrite=shop.rewriter()
    )
    before = shop.catalogue.ids
    return Refreshment(
        generation,
        tuple(item for item in items.ids if item not in before),
        tuple(item for item in items.ids if item in before),
        {lists.lists.placement: _holders(lists, items.ids) for lists in made},
    )


def _holders(lists: Lists, items: ItemIds) -> int:
    """In how many lists of other items some items stand."""
    held = np.zeros(len(lists.ids), dtype=bool)
    held[lists.ids.rows(items)] = True
    at = np.flatnonzero(held[lists.lists.rows])
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
class Ground:
    """The steps whose artifacts the live lists of one placement were chosen from."""

    placement: Placement
    origins: Mapping[str, Step]
    vectors: Step
    index: Step
    near: Step | None
    ranker: Step | None

    @classmethod
    def of(cls, goal: Step, placement: Placement) -> "Ground":
        """Find them among what the placement's lists need."""
        needs = named(goal, f"choose.{placement.name}").needs
        by_kind = {step.name.partition(".")[0]: step for step in needs}
        origins = {
            step.name.removeprefix("fit."): step for step in needs if step.name[:4] == "fit."
        }
        return cls(
            placement,
            {TEXT: by_kind[TEXT], **origins},
            by_kind["fuse"],
            by_kind["index"],
            by_kind.get("near"),
            by_kind.get("learn"),
        )

    def fusion(self, embeddings: Mapping[str, Embeddings]) -> FittedFusion:
        """The fusion as it was fitted."""
        columns = {
            name.removeprefix("fitted."): array
            for name, array in self.vectors.artifact().columns().items()
            if name.startswith("fitted.")
        }
        return registry.fusion(self.placement.fusion).load(columns, embeddings)

    def fitted_ranker(self) -> FittedRanker:
        """The ranker as it was fitted."""
        ranker = registry.ranker(self.placement.ranker)
        return (
            ranker.fit(None)
            if self.ranker is None
            else ranker.load(self.ranker.artifact().columns())
        )


@dataclass(frozen=True, slots=True)
class _Shop:
    """The live build's shop, and the items that were refreshed since: `fresh` just now."""

    job: Job
    record: OverlayRecord
    catalogue: Catalogue
    interactions: Interactions
    embeddings: Mapping[str, Embeddings]
    fresh: Refreshed
    known: Refreshed

    @classmethod
    def of(cls, job: Job, goal: Step, record: OverlayRecord, items: Catalogue) -> "_Shop":
        """Load what all placements need, and encode what has no vector yet."""
        read = named(goal, "read").artifact()
        catalogue, interactions = catalogue_of(read), interactions_of(read)
        embeddings = {
            TEXT if step.name == TEXT else step.name.removeprefix("fit."): Embeddings.from_columns(
                step.artifact().columns()
            )
            for step in steps_of(goal)
            if step.name == TEXT or step.name.startswith("fit.")
        }
        rows = catalogue.ids.rows(items.ids)
        sold = np.zeros(len(catalogue) + 1, dtype=bool)
        sold[interactions.item] = True
        fresh = Refreshed(
            items, _text(job, items, catalogue, embeddings[TEXT]), ~sold[rows], patches=()
        )
        known = fresh if record.refreshed is None else record.refreshed.joined(fresh)
        return cls(job, record, catalogue, interactions, embeddings, fresh, known)

    def patch(self, ground: Ground, lists: Lists) -> Patch:
        """What the fresh items change in one placement."""
        base = Basis(
            self.catalogue,
            self.interactions,
            {name: self.embeddings[name] for name in ground.origins},
            ItemVectors.from_columns(
                ground.vectors.artifact().columns("queries", "targets", "bound")
            ),
            cache(lambda: _neighbours(ground.near)),
        )
        basis = extended(
            base, self.known.items, self.known.text, ground.fusion(base.embeddings), KIN
        )
        chooser = self._chooser(ground, base, basis)
        scale = EvidenceScale(basis.embeddings, EvidenceScale.measured(base.embeddings).near)
        ids = basis.catalogue.ids
        rows = ids.rows(self.fresh.items.ids)
        chosen = chooser.choose(rows)
        own = _entries(ids, rows, *chooser.filled(rows, chosen, scale.codes(rows, chosen)))
        before = Lists(ids, patched(lists, ids, self._earlier(ground.placement)))
        entrances = Entering(chooser, basis.vectors, scale, before, rows).entrances(
            self.fresh.provisional
        )
        return Patch(
            ground.placement.name,
            ground.placement.shown,
            ground.placement.depth,
            self.fresh.items.ids.ids,
            ~self.fresh.items.in_stock,
            own,
            entrances.entries,
            entrances.provisional,
            entrances.given,
        )

    def rewriter(self) -> Rewrite | None:
        """The merchandisers' rules in force over all items; None where there are none."""
        book = book_in_force(find_build(self.job.artifacts, self.record.base), self.record.rules)
        if not book.rules:
            return None
        catalogue = self.catalogue.overlaid(self.known.items)
        placements = {placement.name: placement for placement in self.job.recipe.placements}
        return Rewriting.of(book, catalogue, self.interactions).rewriter(placements)

    def _chooser(self, ground: Ground, base: Basis, basis: Basis) -> Chooser:
        rows = basis.catalogue.ids.rows(self.known.items.ids)
        builder = registry.index_builder(self.job.recipe.index)
        index = builder.restore(base.vectors.targets, ground.index.artifact().columns())
        beside = Beside(index, basis.vectors.targets[rows], rows)
        return prepare(ground.placement, basis, beside, ground.fitted_ranker())

    def _earlier(self, placement: Placement) -> Patch | None:
        earlier = () if self.record.refreshed is None else self.record.refreshed.patches
        return next((patch for patch in earlier if patch.placement == placement.name), None)


def _text(job: Job, items: Catalogue, catalogue: Catalogue, text: Embeddings) -> Embeddings:
    """The text embeddings (k, d) of some items; whose text did not change is not encoded again.

    Raises: ConfigError where the encoder here is not that of the build.
    """
    rows, texts = catalogue.ids.rows(items.ids), documents(items)
    there = np.flatnonzero(rows >= 0)
    before = documents(catalogue.drawn(items, rows[there]))
    same = np.zeros(len(items), dtype=bool)
    same[there] = [texts[at] == was for at, was in zip(there, before, strict=True)]
    matrix = np.zeros((len(items), text.matrix.shape[1]), dtype=np.float32)
    matrix[same] = text.matrix[rows[same]]
    other = np.flatnonzero(~same)
    if len(other):
        matrix[other] = pipeline.encoder_of(job).encode([texts[at] for at in other], job.progress)
    words = np.array([len(document.split()) for document in texts], dtype=np.float32)
    return Embeddings.of_rows(matrix, words)


def _neighbours(near: Step | None) -> Neighbours:
    if near is None:
        raise ArtifactError("the live build does not know who is near by text")
    columns = near.artifact().columns()
    return Neighbours(columns["rows"], columns["scores"])


def _entries(ids: ItemIds, rows: Rows, lists: Neighbours, codes: NDArray[np.uint8]) -> Entries:
    """Lists (b, k) of some rows as entries by id."""
    at = np.nonzero(lists.found)
    return Entries(
        tuple(ids.ids[row] for row in rows[at[0]].tolist()),
        tuple(ids.ids[row] for row in lists.rows[at].tolist()),
        lists.scores[at],
        codes[at],
    )
