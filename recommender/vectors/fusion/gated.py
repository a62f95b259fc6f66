"""A gate that moves from text to behaviour as support grows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import Columns, FloatVector
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.recipe import TEXT
from recommender.core.vectors import Embeddings, ItemVectors
from recommender.errors import ConfigError
from recommender.vectors.fusion.blocks import (
    named,
    shortest_target,
    side_by_side,
    target_lengths,
    the_behaviour,
)


@dataclass(frozen=True, slots=True)
class Gated:
    """Queries weigh text against behaviour by their own support; targets carry both in full.

    An item with support s asks with behaviour weight (1 - text_share) s / (s + half_support) and
    text weight the rest, so a cold item asks by text alone. Targets are not damped by a half that
    they lack: a cold item finds warm ones by text as if they were cold. Where the behaviour gives
    targets a length, by popularity, their text half has the same; a cold item's is the shortest.
    `behaviour` names the interaction model's embeddings; empty, the only ones there are.
    """

    text_share: float = 0.3
    half_support: float = 5.0
    behaviour: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.text_share <= 1:
            raise ConfigError(f"gated: text_share = {self.text_share} is not in 0..1")
        if not self.half_support > 0:
            raise ConfigError(f"gated: half_support = {self.half_support} is not above 0")

    def fuse(
        self,
        embeddings: Mapping[str, Embeddings],
        catalogue: Catalogue,
        interactions: Interactions,
    ) -> "FittedGate":
        """Check the names. Raises: ConfigError where it is unclear which behaviour is meant."""
        named(embeddings, TEXT, "gated")
        behaviour = the_behaviour(embeddings, self.behaviour, "gated")
        shortest = shortest_target(embeddings[behaviour])
        return FittedGate(self.text_share, self.half_support, behaviour, shortest)

    def load(self, columns: Columns, embeddings: Mapping[str, Embeddings]) -> "FittedGate":
        """Undo `columns`."""
        behaviour = the_behaviour(embeddings, self.behaviour, "gated")
        text_share, half_support, shortest = columns["gate"].tolist()
        return FittedGate(text_share, half_support, behaviour, shortest)


@dataclass(frozen=True, slots=True)
class FittedGate:
    """The gate for one shop; targets that the behaviour does not know are `shortest`."""

    text_share: float
    half_support: float
    behaviour: str
    shortest: float

    def apply(self, embeddings: Mapping[str, Embeddings], catalogue: Catalogue) -> ItemVectors:
        """Queries and targets (n, d of text + d of behaviour); scores are at most 1."""
        text = named(embeddings, TEXT, "gated")
        behaviour = named(embeddings, self.behaviour, "gated")
        weight = self._behaviour_weight(text, behaviour)
        ones = np.ones(len(catalogue), dtype=np.float32)
        found = text.matrix if text.targets is None else text.targets
        bought = behaviour.matrix if behaviour.targets is None else behaviour.targets
        popular = target_lengths(behaviour, self.shortest)
        return ItemVectors(
            queries=side_by_side([(1 - weight, text.matrix), (weight, behaviour.matrix)]),
            targets=side_by_side([(popular, found), (ones, bought)]),
        )

    def columns(self) -> Columns:
        """The three numbers of the gate."""
        return {"gate": np.array([self.text_share, self.half_support, self.shortest])}

    def _behaviour_weight(self, text: Embeddings, behaviour: Embeddings) -> FloatVector:
        support = behaviour.support
        gate = (1 - self.text_share) * support / (support + self.half_support)
        without_text = (text.support == 0) & (support > 0)
        return np.where(without_text, 1, gate).astype(np.float32)
