"""Scene: what is live, for those who look at rules over it."""

from dataclasses import dataclass
from functools import cached_property

from recommender.artifacts import Artifact, ArtifactStore
from recommender.builds import chosen_lists, find_build, read_catalogue, read_ids, read_interactions
from recommender.catalogue import Catalogue
from recommender.comparison import Lists
from recommender.merchandising.book import RuleBook
from recommender.neighbours import RelatedLists
from recommender.overlays import (
    OverlayRecord,
    combined_catalogue,
    composed,
    live_record,
    rewriting_in_force,
)
from recommender.recipe import Placement
from recommender.rewriting import Rewriting, placements_of
from recommender.serving.publisher import Publisher


@dataclass(frozen=True)
class Scene:
    """What is live: the build, what lies over it, and the items of both."""

    store: ArtifactStore
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
        ids = read_ids(self.store, self.build)
        base = [Lists(ids, lists) for lists in chosen_lists(self.store, self.build)]
        return {lists.lists.placement: lists for lists in composed(base, self.record)}

    def rewriting(self, book: RuleBook) -> Rewriting:
        """A book over these items."""
        return Rewriting.of(book, self.catalogue, read_interactions(self.store, self.build))

    def live(self, placement: str) -> RelatedLists:
        """The lists of a placement as they are live."""
        rewriting = rewriting_in_force(self.store, self.build, self.record)
        lists = self.chosen[placement]
        if rewriting is None:
            return lists.lists
        return rewriting.rewritten(self.placements[placement], lists).lists


def live_scene(store: ArtifactStore, publisher: Publisher) -> Scene:
    """What is live. Raises: DataError where nothing is; ArtifactError; StoreUnavailable."""
    _, layers = publisher.layers()
    return Scene(store, find_build(store, layers[-1].lists_key), live_record(store, layers))
