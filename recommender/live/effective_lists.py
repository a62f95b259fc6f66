"""Served lists: single lists of a placement as they are served, with what lies over the build."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import chosen_list, read_catalogue, read_interactions
from recommender.core.arrays import FloatVector, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.lists import Lists
from recommender.core.neighbours import RelatedLists
from recommender.live.list_deltas import patched
from recommender.live.overlays import OverlayRecord, combined_catalogue
from recommender.merchandising.application import Rewriting, book_in_force, placements_of
from recommender.merchandising.matching import Matched
from recommender.merchandising.merchandiser import Merchandiser
from recommender.merchandising.whole_lists import columns_of
from recommender.merchandising.working_lists import Acts

Deed = Literal["moved", "barred", "displaced"]
"""That a rule acted; that its pin was out of stock or excluded; that another pin had its place."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What a merchandisers' rule did in one list, and the rows that it was about there."""

    name: str
    rule: str
    deed: Deed
    about: frozenset[int]


@dataclass(frozen=True, slots=True)
class ServedList:
    """Rows, scores and evidence (k,) of one list as it is served, and the rules that acted."""

    rows: Rows
    scores: FloatVector
    evidence: NDArray[np.uint8]
    acted: Sequence[Acted]


@dataclass(frozen=True, slots=True)
class ServedLists:
    """The lists of a placement: `built` by the build alone, `lists` with refreshed items too.

    Rows count in `catalogue`, that of the build and the new items behind it.
    """

    catalogue: Catalogue
    built: RelatedLists
    lists: RelatedLists
    merchandiser: Merchandiser | None

    @classmethod
    def of(
        cls, store: ArtifactStore, build: Artifact, record: OverlayRecord, placement: str
    ) -> "ServedLists":
        """Read one placement of a build, and what lies over it. Raises: ArtifactError."""
        before = read_catalogue(store, build)
        built = chosen_list(store, build, placement)
        catalogue = combined_catalogue(before, record)
        patches = () if record.refreshed is None else record.refreshed.patches
        patch = next((one for one in patches if one.placement == placement), None)
        lists = patched(Lists(before.ids, built), catalogue.ids, patch)
        book = book_in_force(build, record.rules)
        merchandiser = None
        if book.rules:
            rewriting = Rewriting.of(book, catalogue, read_interactions(store, build))
            merchandiser = rewriting.merchandiser(placements_of(build)[placement])
        return cls(catalogue, built, lists, merchandiser)

    def of_row(self, row: int) -> ServedList:
        """The list of one row."""
        neighbours, evidence = columns_of(self.lists, range(row, row + 1))
        if self.merchandiser is None:
            return ServedList(neighbours.rows[0], neighbours.scores[0], evidence[0], ())
        made = self.merchandiser.apply(np.array([row], dtype=np.int32), neighbours, evidence)
        deeds: dict[Deed, Acts] = {
            "moved": made.acted,
            "barred": made.barred,
            "displaced": made.displaced,
        }
        acted = [
            _acted(self.merchandiser.rules, int(number), deed, row)
            for deed, acts in deeds.items()
            for number in acts[:, 1]
        ]
        found = made.lists.found[0]
        return ServedList(
            made.lists.rows[0][found], made.lists.scores[0][found], made.evidence[0][found], acted
        )


def _acted(rules: Sequence[Matched], number: int, deed: Deed, row: int) -> Acted:
    matched = next(one for one in rules if one.number == number)
    of_row = matched.pairs[matched.pairs[:, 0] == row, 1]
    about = {*matched.targets.tolist(), *of_row.tolist(), matched.substitute} - {-1}
    return Acted(matched.rule.name, str(matched.rule), deed, frozenset(about))
