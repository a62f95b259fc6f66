"""A gate that moves from content to behaviour as support grows."""

from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import Columns, FloatVector, row_lengths
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.errors import ConfigError
from recommender.vectors.fusion.concatenation import named, side_by_side


@dataclass(frozen=True, slots=True)
class Gated:
    """Queries weigh content against behaviour by their own support; targets carry both in full.

    An item with support s asks with behaviour weight (1 - text_share) s / (s + half_support) and
    content weight the rest, so a cold item asks by content alone. Targets are not damped by a half
    that they lack: a cold item finds warm ones by content as if they were cold. Where the behaviour
    gives targets a length, by popularity, their content half has the same; a cold item's is the
    shortest. `behaviour` names the interaction model; it may be empty where there is only one.
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
        self, origins: Origins, catalogue: Catalogue, interactions: Interactions
    ) -> "FittedGate":
        """Check the names. Raises: ConfigError where it is unclear which behaviour is meant."""
        behaviour = the_behaviour(origins, self.behaviour, "gated")
        shortest = shortest_target(origins.behaviour[behaviour])
        return FittedGate(self.text_share, self.half_support, behaviour, shortest)

    def load(self, columns: Columns, origins: Origins) -> "FittedGate":
        """Undo `columns`."""
        behaviour = the_behaviour(origins, self.behaviour, "gated")
        text_share, half_support, shortest = columns["gate"].tolist()
        return FittedGate(text_share, half_support, behaviour, shortest)


@dataclass(frozen=True, slots=True)
class FittedGate:
    """The gate for one shop; targets that the behaviour does not know are `shortest`."""

    text_share: float
    half_support: float
    behaviour: str
    shortest: float

    def apply(self, origins: Origins, catalogue: Catalogue) -> ItemVectors:
        """Queries and targets (n, d of content + d of behaviour); scores are at most 1."""
        content = origins.joined()
        behaviour = named(origins.behaviour, self.behaviour, "gated")
        weight = self._behaviour_weight(content, behaviour)
        ones = np.ones(len(catalogue), dtype=np.float32)
        bought = behaviour.matrix if behaviour.targets is None else behaviour.targets
        popular = target_lengths(behaviour, self.shortest)
        return ItemVectors(
            queries=side_by_side([(1 - weight, content.matrix), (weight, behaviour.matrix)]),
            targets=side_by_side([(popular, content.matrix), (ones, bought)]),
        )

    def columns(self) -> Columns:
        """The three numbers of the gate."""
        return {"gate": np.array([self.text_share, self.half_support, self.shortest])}

    def _behaviour_weight(self, content: Embeddings, behaviour: Embeddings) -> FloatVector:
        support = behaviour.support
        gate = (1 - self.text_share) * support / (support + self.half_support)
        without_content = (content.support == 0) & (support > 0)
        return np.where(without_content, 1, gate).astype(np.float32)


def the_behaviour(origins: Origins, name: str, where: str) -> str:
    """The name of the interaction model that is meant: `name`, or without it the only one.

    Raises: ConfigError where that is unclear.
    """
    models = list(origins.behaviour)
    if name:
        named(origins.behaviour, name, where)
    elif len(models) != 1:
        raise ConfigError(
            f"{where}: behaviour is not named and the recipe has {len(models)} interaction "
            f"models ({', '.join(models) or 'none'}); set behaviour to one of them"
        )
    return name or models[0]


def target_lengths(behaviour: Embeddings, shortest: float) -> FloatVector:
    """How long each target is (n,), by popularity as a rule; one where a model has no targets.

    An item without a target, having no support, has the `shortest` length of the fit.
    """
    if behaviour.targets is None:
        return np.ones(len(behaviour.matrix), dtype=np.float32)
    lengths = row_lengths(behaviour.targets)
    return np.where(lengths > 0, lengths, np.float32(shortest)).astype(np.float32)


def shortest_target(behaviour: Embeddings) -> float:
    """The length of the shortest target that there is, 1 without any."""
    if behaviour.targets is None:
        return 1.0
    lengths = row_lengths(behaviour.targets)
    known = lengths[lengths > 0]
    return float(known.min()) if len(known) else 1.0
