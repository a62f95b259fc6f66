"""Scene: what is live, for those who look at rules over it."""

from dataclasses import dataclass
from functools import cached_property

from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import find_build, read_catalogue, read_interactions
from recommender.core.catalogue import Catalogue
from recommender.core.lists import Lists
from recommender.core.neighbours import RelatedLists
from recommender.core.recipe import Placement
from recommender.live.overlays import (
    OverlayRecord,
    base_lists,
    combined_catalogue,
    composed,
    live_record,
)
from recommender.merchandising.application import Rewriting, book_in_force, placements_of
from recommender.merchandising.rule_set import RuleBook
from recommender.publishing.publisher import Publisher
from recommender.serving.codec import Pointer


@dataclass(frozen=True)
class Scene:
    """What is live: the pointer, the build, what lies over it, and the items of both."""

    store: ArtifactStore
    seen: Pointer
    build: Artifact
    record: OverlayRecord

    @cached_property
    def catalogue(self) -> Catalogue:
        """The items of the build and those that were refreshed."""
        return combined_catalogue(read_catalogue(self.store, self.build), self.record)

    @cached_property
    def placements(self) -> dict[str, Placement]:
        """The placements of the build, by name."""
        return placements_of(self.build)

    @cached_property
    def chosen(self) -> dict[str, Lists]:
        """The lists before any merchandisers' rule, by placement."""
        base = base_lists(self.store, self.record)
        return {lists.lists.placement: lists for lists in composed(base, self.record)}

    def rewriting(self, book: RuleBook) -> Rewriting:
        """A book over these items."""
        return Rewriting.of(book, self.catalogue, read_interactions(self.store, self.build))

    def live(self, placement: str) -> RelatedLists:
        """The lists of a placement as they are live."""
        lists, book = self.chosen[placement], book_in_force(self.build, self.record.rules)
        if not book.rules:
            return lists.lists
        return self.rewriting(book).rewritten(self.placements[placement], lists).lists


def live_scene(store: ArtifactStore, publisher: Publisher) -> Scene:
    """What is live. Raises: DataError where nothing is; ArtifactError; StoreUnavailable."""
    seen, layers = publisher.layers()
    return Scene(store, seen, find_build(store, layers[-1].lists_key), live_record(store, layers))
