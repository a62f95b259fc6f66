"""The lists of one release in memory, to look at any item's before or after another release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import read_catalogue, related_lists
from recommender.core.catalogue import Catalogue
from recommender.core.lists import RelatedLists
from recommender.core.related import EVIDENCE, RelatedItem
from recommender.insights.diff import Release


@dataclass(frozen=True, slots=True)
class ReleaseLists:
    """The items and the lists of a release, by placement."""

    release: Release
    catalogue: Catalogue
    lists: Mapping[str, RelatedLists]

    def of(self, item: str, placement: str, k: int) -> Sequence[RelatedItem] | None:
        """The first k entries of an item's list; None if the release has no such list."""
        if item not in self.catalogue.ids or placement not in self.lists:
            return None
        found = self.lists[placement].of(self.catalogue.ids.row(item))[:k]
        ids = self.catalogue.ids.ids
        return [
            RelatedItem(ids[row], score, EVIDENCE[code])
            for row, score, code in zip(
                found.rows.tolist(), found.scores.tolist(), found.evidence.tolist(), strict=True
            )
        ]

    def title(self, item: str) -> str:
        """The title of an item of the release."""
        return self.catalogue.title[self.catalogue.ids.row(item)]


def release_lists(artifacts: ArtifactStore, release: Release) -> ReleaseLists:
    """Load the lists of a release. Raises: ArtifactError."""
    made = related_lists(artifacts, release.build)
    lists = {one.placement: one for one in made}
    return ReleaseLists(release, read_catalogue(artifacts, release.build), lists)
