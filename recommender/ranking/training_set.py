"""Learning: the earlier time of a shop from which its rankers learn."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.core.arrays import FloatMatrix, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import DAY_S, Interactions, support
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import (
    FittedRanker,
    RankingContext,
    TrainingQueries,
    TrainingSet,
    VectorIndex,
)
from recommender.core.recipe import Choice, LearnDays, Placement, Recipe
from recommender.core.telemetry import Progress
from recommender.core.vectors import Embeddings, Origins
from recommender.ranking.chooser import OVERDRAW, propose

LATER_SHARE, LATER_EVENTS, LATER_DAYS = 0.2, 100_000, 14
FORGOTTEN_SHARE = 0.2
KIN = 30
SEED = 0

_logger = logging.getLogger(__name__)


def near_by_content(index: Choice, content: Embeddings) -> Neighbours:
    """The `KIN` nearest items by content of all items (n, KIN)."""
    rows = np.arange(len(content.matrix), dtype=np.int32)
    found = registry.index_builder(index).build(content.matrix).search(content.matrix, KIN + 1)
    return found.keep(found.rows != rows[:, None], KIN)


def reads_near_by_content(placement: Placement) -> bool:
    """Whether anything that chooses a placement's lists asks which items are near by content."""
    sources = [registry.candidate_generator(choice) for choice in placement.candidates]
    return registry.ranker(placement.ranker).learns or any(one.near_by_content for one in sources)


def fit_interactions(
    recipe: Recipe,
    interactions: Interactions,
    content: Mapping[str, Embeddings],
    progress: Progress,
) -> Origins:
    """The given content, and the behaviour that the recipe's interaction models learn."""
    behaviour = {
        name: registry.interaction_model(choice).fit(interactions, progress)
        for name, choice in recipe.interactions.items()
    }
    return Origins(content, behaviour)


@dataclass(frozen=True, slots=True)
class Scene:
    """An earlier time of the shop, at which the items `rows` (r,) ask; items may be `gone` (n,)."""

    rows: Rows
    gone: NDArray[np.bool_]
    context: RankingContext
    index: VectorIndex

    def queries(self, placement: Placement) -> TrainingQueries:
        """What the items would be proposed in a placement."""
        proposals = propose(placement, self.context, self.index)
        left = 1 - float(self.gone.mean())
        k = round(OVERDRAW * (placement.depth + 1) / left)

        def proposed(asking: Rows) -> Neighbours:
            candidates, _ = proposals.of(asking, k)
            known = ~self.gone[candidates.rows] & (candidates.rows != NONE)
            return candidates.keep(known, candidates.rows.shape[1])

        return TrainingQueries(self.context, self.rows, proposed)


@dataclass(frozen=True, slots=True)
class TemporalSplit:
    """A shop at an earlier time, its models fitted to what was known then, and what came later.

    `scenes` are that time with all events, and with some items that have lost their events; they
    are made once for each fusion.
    """

    known: Interactions
    later: Interactions
    scenes: Callable[[Choice], Sequence[Scene]]

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        catalogue: Catalogue,
        interactions: Interactions,
        content: Mapping[str, Embeddings],
        near: Callable[[], Neighbours],
        progress: Progress,
    ) -> "TemporalSplit | None":
        """Go back as far as a ranker needs; None where nothing is left there."""
        late = _late(interactions, recipe.learn_days)
        known, later = interactions.select(~late), interactions.select(late)
        if not len(known) or not len(later):
            return None
        origins = fit_interactions(recipe, known, content, progress)
        scenes = cache(partial(_scenes, recipe, catalogue, known, origins, near))
        return cls(known, later, scenes)

    def fit(self, placement: Placement) -> FittedRanker:
        """The placement's ranker, fitted to the candidates that it would have had."""
        queries = tuple(scene.queries(placement) for scene in self.scenes(placement.fusion))
        return registry.ranker(placement.ranker).fit(TrainingSet(queries, self.later))


def _scenes(
    recipe: Recipe,
    catalogue: Catalogue,
    known: Interactions,
    origins: Origins,
    near: Callable[[], Neighbours],
    fusion: Choice,
) -> Sequence[Scene]:
    fitted = registry.fusion(fusion).fuse(origins, catalogue, known)
    everyone = np.arange(len(catalogue), dtype=np.int32)
    sold = np.flatnonzero(support(known.matrix()) > 0).astype(np.int32)
    rng = np.random.default_rng(SEED)
    forgotten = np.sort(rng.choice(sold, int(len(sold) * FORGOTTEN_SHARE), replace=False))

    def known_of(gone: NDArray[np.bool_]) -> RankingContext:
        behaviour = {name: _without(origin, gone) for name, origin in origins.behaviour.items()}
        left = Origins(origins.content, behaviour)
        return RankingContext(
            catalogue=catalogue,
            interactions=known.select(~gone[known.item]),
            origins=left,
            vectors=fitted.apply(left, catalogue),
            near_by_content=near,
            users_min=recipe.trust.users_min,
        )

    nothing = np.zeros(len(catalogue), dtype=bool)
    context = known_of(nothing)
    index = registry.index_builder(recipe.index).build(context.vectors.targets)
    with_all = Scene(everyone, nothing, context, index)
    if not len(forgotten):
        return (with_all,)
    gone = np.isin(everyone, forgotten)
    without = known_of(gone)  # whose own targets are never proposed, so those of all items serve
    shared = replace(without.vectors, targets=context.vectors.targets)
    return with_all, Scene(forgotten, gone, replace(without, vectors=shared), index)


def fit_ranker(placement: Placement, past: Callable[[], "TemporalSplit | None"]) -> FittedRanker:
    """The placement's ranker; the past is asked for only where there is something to learn."""
    ranker = registry.ranker(placement.ranker)
    if not ranker.learns:
        return ranker.fit(None)
    shop = past()
    return ranker.fit(None) if shop is None else shop.fit(placement)


def _late(interactions: Interactions, days: LearnDays) -> NDArray[np.bool_]:
    """Which events (m,) belong to units that began in the last `days`.

    `auto` leaves the newest 100,000 events for later, or those of two weeks where that is more,
    but at most a fifth of all: a sparse shop needs a long time to learn from, and a busy one should
    learn from what is recent. Events without a unit finer than their user count one by one; without
    times, a seeded fifth of the units is taken.
    """
    began = interactions.began()
    if began.min(initial=0) == began.max(initial=0):
        distinct, numbers = np.unique(interactions.units_of(), return_inverse=True)
        drawn = np.random.default_rng(SEED).permutation(len(distinct))
        return np.asarray(drawn[numbers] < LATER_SHARE * len(drawn))
    if days == "auto":
        enough = np.quantile(began, max(1 - LATER_EVENTS / len(began), 0))
        long_enough = interactions.newest - LATER_DAYS * DAY_S
        split = max(min(enough, long_enough), np.quantile(began, 1 - LATER_SHARE))
    else:
        split = interactions.newest - days * DAY_S
    _logger.info(
        "ranker: learns from the last %.0f days of %.0f",
        (interactions.newest - split) / DAY_S,
        (interactions.newest - began.min()) / DAY_S,
    )
    return np.asarray(began >= split)


def _without(origin: Embeddings, gone: NDArray[np.bool_]) -> Embeddings:
    """The embeddings, as if nothing were known of the items that are gone."""

    def blanked(matrix: FloatMatrix) -> FloatMatrix:
        return np.where(gone[:, None], np.float32(0), matrix)

    return replace(
        origin,
        matrix=blanked(origin.matrix),
        support=np.where(gone, np.float32(0), origin.support),
        targets=None if origin.targets is None else blanked(origin.targets),
    )
