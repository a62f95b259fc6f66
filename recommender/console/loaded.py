"""One live generation in memory: its items, its lists as they are served, and its search."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from recommender.build.job import resumed
from recommender.core.api_budget import TextApi
from recommender.core.arrays import FloatVector
from recommender.core.catalogue import Catalogue, documents
from recommender.core.lists import RelatedLists
from recommender.core.recipe import Placement
from recommender.errors import ArtifactError
from recommender.insights.explain import Explainer
from recommender.insights.listings import Listings
from recommender.insights.search import Searcher, WordIndex, searcher_of
from recommender.live.live_state import EffectiveLists, LiveState
from recommender.settings.model import Settings

RANKS_MOST = 400
"""Among how many proposals of a candidate generator the rank of an item is looked for."""


@dataclass(frozen=True, slots=True)
class ServedLists:
    """The lists of a placement as they are served, and in which of them each item is."""

    placement: Placement
    effective: EffectiveLists
    lists: RelatedLists
    listings: Listings


@dataclass(frozen=True, slots=True)
class LoadedGeneration:
    """What is live: the state, its items, the lists of each placement, and the search.

    `support` (n,) is how much behaviour stands behind an item, 0 for a cold one. `explainers` are
    those of the placements that are ready to be explained.
    """

    live: LiveState
    catalogue: Catalogue
    placements: Mapping[str, ServedLists]
    support: FloatVector
    searcher: Searcher
    by_meaning: bool = False
    explainers: Mapping[str, Explainer] = field(default_factory=dict)

    def row(self, item: str) -> int | None:
        """The row of an item, None for an unknown one."""
        return self.catalogue.ids.row(item) if item in self.catalogue.ids else None


def load_lists(live: LiveState) -> LoadedGeneration:
    """Load what is live, with a search by words. Raises: ArtifactError; DataError."""
    catalogue = live.catalogue
    served = {name: _served(live.effective(name)) for name in live.placements}
    n_items = len(catalogue)
    words = WordIndex.of(documents(catalogue))
    blind = np.zeros((n_items, 1), dtype=np.float32)
    searcher = Searcher(live.number, catalogue, blind, words, lambda _: blind[0])
    return LoadedGeneration(live, catalogue, served, _support(live, n_items), searcher)


def with_meaning(loaded: LoadedGeneration, api: TextApi) -> LoadedGeneration:
    """The same with a search by words and meaning. Raises: ArtifactError; ConfigError."""
    found = searcher_of(loaded.live.artifacts, loaded.live.number, api)
    return replace(loaded, searcher=found, by_meaning=True)


def with_explainers(loaded: LoadedGeneration, settings: Settings) -> LoadedGeneration:
    """The same with what explains its lists. Raises: ArtifactError; ConfigError."""
    live = loaded.live
    job = resumed(settings.frozen_as(live.run.settings).job(), live.run)
    ready = {
        name: Explainer.prepared(job, live, name, ranks_most=RANKS_MOST)
        for name in loaded.placements
    }
    return replace(loaded, explainers=ready)


def _served(effective: EffectiveLists) -> ServedLists:
    lists = effective.whole()
    return ServedLists(effective.placement, effective, lists, Listings.of(lists))


def _support(live: LiveState, n_items: int) -> FloatVector:
    """The largest support of each item (n,) by any interaction model."""
    largest = np.zeros(n_items, dtype=np.float32)
    try:
        run = live.run
    except ArtifactError:
        return largest
    for folder, key in run.artifacts:
        if folder == "interactions":
            found = live.artifacts.require(folder, key).columns("support")["support"]
            largest[: len(found)] = np.maximum(largest[: len(found)], found)
    return largest
