"""Refresh: related lists for a few new or changed items without a reindex.

The models of the live build are applied as they were fitted: the text encoder, the fusion, the
index and the rankers. The result is published as an overlay on the full generation. The next
reindex reads the items itself and replaces the overlay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender import pipeline
from recommender.build.contents import find_build
from recommender.build.job import Job, text_encoders
from recommender.core import item_id
from recommender.core.arrays import FloatMatrix
from recommender.core.catalogue import Catalogue, documents
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import NamedLists
from recommender.errors import ArtifactError, ConfigError
from recommender.live.encoder_subprocess import EncoderSubprocess
from recommender.live.fold_in import ReverseNeighbours
from recommender.live.list_deltas import ListDelta, NamedEntries, apply_delta
from recommender.live.live_state import LiveState
from recommender.live.loaded_build import LoadedBuild, LoadedPlacement
from recommender.live.overlays import Refreshed, Rewrite, base_lists, publish_overlay
from recommender.merchandising.application import RuleApplication, rules_in_force
from recommender.publishing.publisher import Publisher
from recommender.ranking.evidence import EvidenceScale


@dataclass(frozen=True, slots=True)
class Refreshment:
    """The result of a refresh: the overlay, and which items are new or were known before.

    `entered` counts, by placement, the lists of other items that hold refreshed items now.
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
    """Publish lists of `items`, and insert the items into the lists of others.

    `job` is the job of the live run on this machine; `encoder` is its first text encoder if that
    runs in another process. Items refreshed earlier and the rules in force are kept.

    Raises: ConfigError if a text encoder here is not that of the run; DataError if the vectors of
    a content origin have other dimensions than in the build; ArtifactError if the build is no
    longer available; StoreUnavailable, also if something else went live in the meantime. On an
    error the live lists do not change.
    """
    if job.source.catalogue.scope == "with_interactions":
        raise ConfigError(
            'catalogue.scope = "with_interactions" leaves new items out; set it to "all" and run '
            "recommender reindex"
        )
    planned = pipeline.plan(job)
    if not planned.makes(live.run.build):
        raise ArtifactError(
            f"generation {live.number} was built by another version of recommender, or "
            "its artifacts are incomplete; run recommender reindex"
        )
    build = LoadedBuild.of(job, planned, live.record, items)
    changed = build.changed()
    texts = [documents(build.items)[place] for place in changed.tolist()]
    if encoder is not None:
        encoder.compare_with(build.reference())
        encoder.request(texts)
    base = base_lists(job.artifacts, live.record)
    placements = [build.placement(placement) for placement in planned.placements]
    if encoder is not None and not encoder.ready():
        _warm_up(build, placements)
    fresh = build.refreshed(changed, _encoded(job, texts, encoder))
    deltas = tuple(
        _delta(build, placement, lists, fresh)
        for placement, lists in zip(placements, base, strict=True)
    )
    record = live.record.with_refreshed(replace(fresh, deltas=deltas))
    generation, made = publish_overlay(
        job.artifacts, publisher, record, base=base, seen=live.pointer, rewrite=_rewrite(build)
    )
    before = base[0].ids
    return Refreshment(
        generation,
        tuple(item for item in items.ids if item not in before),
        tuple(item for item in items.ids if item in before),
        {lists.lists.placement: _n_holders(lists, items.ids) for lists in made},
    )


def checked(items: Sequence[str]) -> tuple[str, ...]:
    """The ids without repetitions. Raises: ConfigError if there is none, or one is not an id."""
    ids = tuple(dict.fromkeys(items))
    if not ids:
        raise ConfigError("no item: name some, or a --file with one id per line")
    for item in ids:
        if reason := item_id.fault(item):
            raise ConfigError(f"item id {item!r:.60}: {reason}")
    return ids


def _warm_up(build: LoadedBuild, placements: Sequence[LoadedPlacement]) -> None:
    """Count, and import, all that choosing needs while the texts are being encoded."""
    items = build.with_earlier(build.placeholder())
    for placement in placements:
        placement.chooser(items)


def _encoded(
    job: Job, texts: Sequence[str], encoder: EncoderSubprocess | None
) -> dict[str, FloatMatrix | None]:
    """Vectors (c, d) of the texts by each text encoder; without texts no model is loaded."""
    vectors: dict[str, FloatMatrix | None] = {}
    for place, (name, pinned) in enumerate(text_encoders(job).items()):
        if encoder is not None and place == 0:
            vectors[name] = encoder.result()
        else:
            vectors[name] = pinned.encoder().encode(texts, job.progress) if texts else None
    return vectors


def _delta(
    build: LoadedBuild, loaded: LoadedPlacement, lists: NamedLists, fresh: Refreshed
) -> ListDelta:
    """The changes that the fresh items make in one placement."""
    chooser, context = loaded.chooser(build.with_earlier(fresh))
    scale = EvidenceScale(context.origins, EvidenceScale.measured(loaded.base.origins).near)
    ids, placement = build.catalogue.ids, loaded.placement
    rows = ids.rows(build.items.ids)
    own = chooser.chosen(rows, scale).entries[:, : placement.depth]
    holders = np.repeat(rows, own.found.sum(axis=1))
    earlier = build.record.delta(placement.name)
    before = NamedLists(ids, apply_delta(lists, ids, earlier))
    near = ReverseNeighbours(chooser, context.vectors, scale, before, rows)
    return ListDelta(
        placement.name,
        placement.shown,
        placement.depth,
        build.items.ids.ids,
        ~build.items.in_stock,
        NamedEntries.of(ids, holders, own[own.found]),
        *near.insertions(fresh.provisional),
    )


def _rewrite(build: LoadedBuild) -> Rewrite | None:
    """The merchandising rules in force over all items; None if there are none."""
    record = build.record
    rules = rules_in_force(find_build(build.job.artifacts, record.base), record.rules)
    if not rules.rules:
        return None
    placements = {placement.name: placement for placement in build.job.recipe.placements}
    return RuleApplication.of(rules, build.catalogue, build.interactions).rewrite(placements)


def _n_holders(lists: NamedLists, items: ItemIds) -> int:
    """The number of lists of other items that hold some of the items."""
    held = np.zeros(len(lists.ids), dtype=bool)
    held[lists.ids.rows(items)] = True
    holders = np.unique(lists.lists.owners[held[lists.lists.entries.rows]])
    return int((~held[holders]).sum())
