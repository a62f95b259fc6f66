"""Lint: findings that should be fixed in a catalogue, and problems in its lists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender import pipeline, registry
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import placements, read_catalogue, read_lists
from recommender.build.job import Job, pinned
from recommender.build.steps import Step, embeddings_of
from recommender.core.arrays import FloatMatrix, blocks
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, support
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice
from recommender.core.vectors import Embeddings, joined_content
from recommender.insights.checks import (
    KINDS,
    Finding,
    list_findings,
    price_findings,
    title_findings,
    title_words,
    unseen,
)
from recommender.insights.near_duplicates import DuplicatePairs
from recommender.vectors.content.vocabulary import advice

NEAR = 10
EXACT_UP_TO = 20_000
CELLS, PROBES, RECALL = 2.0, 8, 0.01
"""For more items, 2 √n cells and few probes: duplicates are in the same cell or a nearby one."""
BLOCK = 8192
COLUMNS = ("item", "finding", "detail", "other_item", "title", "other_title")
"""What a table of findings has, in the order of `finding_rows`."""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of a shop, by kind in the order of `KINDS`, best sellers first.

    `placements` names those whose lists were checked, none without a build. `notes` are about the
    texts as a whole.
    """

    catalogue: Catalogue
    findings: tuple[Finding, ...]
    placements: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]


def lint(job: Job, build: Artifact | None) -> Report:
    """Check the files of a shop, and the lists of a build if there is one.

    Files and texts that an earlier run read and encoded are not processed again.
    Raises: what reading raises; ArtifactError if parts of the build are gone.
    """
    job = pinned(job)
    read, catalogue, events = pipeline.read_shop_columns(job)
    steps = pipeline.content_made(job, read)
    content = joined_content(embeddings_of(steps))
    found = list(catalogue_findings(catalogue, events, content))
    names = [] if build is None else placements(build)
    if build is not None:
        found += _of_lists(job.artifacts, build, catalogue)
    sold = support(events.matrix())
    order = {kind: place for place, kind in enumerate(KINDS)}
    ids = catalogue.ids.ids
    found.sort(key=lambda one: (order[one.kind], -sold[one.row], ids[one.row]))
    return Report(catalogue, tuple(found), tuple(names), tuple(_notes(read, steps)))


def finding_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """All findings with the ids and titles of their items, in the order of `COLUMNS`."""
    ids, titles = report.catalogue.ids.ids, report.catalogue.title
    for finding in report.findings:
        other = finding.other != NONE
        yield (
            ids[finding.row],
            finding.kind,
            finding.detail,
            ids[finding.other] if other else "",
            titles[finding.row],
            titles[finding.other] if other else "",
        )


def _notes(read: Artifact, content: Mapping[str, Step]) -> Iterator[str]:
    """What descriptions share, and which scripts the text models do not know."""
    for sentence, count in read.summary["report"]["boilerplate"].items():
        yield (
            f"{count:,} descriptions share {sentence!r:.80}, which the text model does not read "
            "(catalogue.boilerplate_share)"
        )
    for name, step in content.items():
        yield from advice(name, step.artifact().summary.get("unknown_words", ()))


def catalogue_findings(
    catalogue: Catalogue, events: Interactions, content: Embeddings
) -> Iterator[Finding]:
    """The findings without lists: titles, duplicates, prices, items without events."""
    words = [title_words(title) for title in catalogue.title]
    duplicates = DuplicatePairs.of(catalogue, words, near_texts(content.matrix))
    yield from title_findings(catalogue, words)
    yield from duplicates.findings(words)
    yield from price_findings(catalogue, duplicates.alike)
    yield from unseen(support(events.matrix()), catalogue, events.newest)


def near_texts(matrix: FloatMatrix) -> Neighbours:
    """The nearest texts of each item (n, 10), without the item itself, found block by block."""
    near = {"cells": int(CELLS * np.sqrt(len(matrix))), "probes_min": PROBES, "recall": RECALL}
    choice = Choice("exact") if len(matrix) <= EXACT_UP_TO else Choice("ivf", near)
    index = registry.index_builder(choice).build(matrix)
    parts = []
    for block in blocks(len(matrix), BLOCK):
        found = index.search(matrix[block], NEAR + 1)
        itself = np.arange(block.start, block.stop, dtype=np.int32)[:, None]
        parts.append(found.keep(found.rows != itself, NEAR))
    return Neighbours.joined(parts)


def _of_lists(store: ArtifactStore, build: Artifact, catalogue: Catalogue) -> Sequence[Finding]:
    """Findings in the lists of a build, in rows of the catalogue as it is now."""
    then = read_catalogue(store, build)
    now = catalogue.ids.rows(then.ids)
    shown = {one["name"]: int(one["shown"]) for one in build.summary["recipe"]["placements"]}
    return [
        Finding(finding.kind, int(now[finding.row]), finding.detail)
        for name in placements(build)
        for finding in list_findings(read_lists(store, build, name), then, shown[name])
        if now[finding.row] >= 0
    ]
