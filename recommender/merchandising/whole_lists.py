"""Whole lists: all lists of a placement after the rules, a block at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import blocks
from recommender.core.neighbours import NONE, Neighbours, RelatedLists
from recommender.merchandising.merchandiser import BLOCK, Merchandised, Merchandiser
from recommender.merchandising.working_lists import Acts, Codes


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The lists of a placement after the rules, and what these did, as `Merchandised` says it."""

    lists: RelatedLists
    acted: Acts
    barred: Acts
    displaced: Acts


def rewritten(merchandiser: Merchandiser, lists: RelatedLists) -> Rewritten:
    """All lists after the rules, best sellers too."""
    done = list(worked(merchandiser, lists, range(len(lists))))
    acts = {
        name: np.concatenate([np.zeros((0, 2), np.int64), *(getattr(one, name) for one in done)])
        for name in ("acted", "barred", "displaced")
    }
    parts = [(one.lists, one.evidence) for one in done]
    best_sellers = merchandiser.left_of(lists.best_sellers)
    return Rewritten(RelatedLists.of_blocks(lists.placement, parts, best_sellers), **acts)


def worked(merchandiser: Merchandiser, lists: RelatedLists, rows: range) -> Iterator[Merchandised]:
    """Blocks of the lists of some rows after the rules."""
    for block in blocks(len(rows), BLOCK):
        part = rows[block]
        yield merchandiser.apply(
            np.arange(part.start, part.stop, dtype=np.int32), *columns_of(lists, part)
        )


def columns_of(lists: RelatedLists, rows: range) -> tuple[Neighbours, Codes]:
    """The lists of some rows that follow each other, and their evidence, as columns (b, k)."""
    sizes = lists.sizes[rows.start : rows.stop]
    found = np.arange(int(sizes.max(initial=0))) < sizes[:, None]
    entries = slice(int(lists.offsets[rows.start]), int(lists.offsets[rows.stop]))
    listed = np.full(found.shape, NONE, dtype=np.int32)
    scores = np.full(found.shape, -np.inf, dtype=np.float32)
    evidence = np.zeros(found.shape, dtype=np.uint8)
    listed[found], scores[found] = lists.rows[entries], lists.scores[entries]
    evidence[found] = lists.evidence[entries]
    return Neighbours(listed, scores), evidence
