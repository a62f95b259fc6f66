"""A learned fusion: two towers, distilled from counts and a gate, which have no vectors."""

from dataclasses import dataclass, replace

import numpy as np

from recommender.core.arrays import Columns
from recommender.core.catalogue import Catalogue
from recommender.core.half_life import HalfLife, days_in, require_half_life
from recommender.core.interactions import Interactions
from recommender.core.vectors import ItemVectors, Origins
from recommender.errors import ConfigError
from recommender.vectors.fusion.concatenation import named
from recommender.vectors.fusion.gated import shortest_target, target_lengths, the_behaviour
from recommender.vectors.fusion.towers import (
    WIDTH,
    Inputs,
    Parameters,
    first_parameters,
    price_scale,
    queries,
    side_features,
    targets,
)
from recommender.vectors.fusion.training import Counts, Training

_OF_SHOP = ("prices", "shortest")


@dataclass(frozen=True, slots=True)
class Learned:
    """Query and target vectors of content, behaviour, category, brand and price, learned in torch.

    The distillation target is what no vectors can be: decayed counts added to a gate of behaviour
    and content. The towers start as that gate, and learn to choose as the target does among samples
    of items, by softmax. For a `cold_share` of the asking items the behaviour is hidden, so that
    the towers learn from items whose buyers are known what content and side features let expect.
    `behaviour` names the interaction model; it may be empty where there is only one. Training takes
    `steps`, or four passes over the items where that is more, and stops early where items held out
    get no better. It uses one CPU thread, or a GPU.

    Source: distillation of Hinton, Vinyals, Dean 2015; dropping the behaviour of Volkovs, Yu,
    Poutanen 2017, "DropoutNet".
    """

    behaviour: str = ""
    half_life_days: HalfLife = "auto"
    hidden: int = 256
    cold_share: float = 0.25
    steps: int = 160
    seed: int = 0

    def __post_init__(self) -> None:
        require_half_life(self.half_life_days, "learned")
        if not 1 <= self.hidden <= 4096:
            raise ConfigError(f"learned: hidden = {self.hidden} is not in 1..4096")
        if not 0 <= self.cold_share < 1:
            raise ConfigError(f"learned: cold_share = {self.cold_share} is not in 0..1")
        if self.steps < 1:
            raise ConfigError(f"learned: steps = {self.steps} is below 1")

    def fuse(
        self, origins: Origins, catalogue: Catalogue, interactions: Interactions
    ) -> "FittedTowers":
        """Learn. Raises: ConfigError where it is unclear which behaviour is meant."""
        name = the_behaviour(origins, self.behaviour, "learned")
        behaviour = origins.behaviour[name]
        first = first_parameters(
            origins.joined().matrix.shape[1],
            WIDTH,
            behaviour.matrix.shape[1],
            self.hidden,
            self.seed,
        )
        shortest = shortest_target(behaviour)
        untaught = FittedTowers(name, first, price_scale(catalogue), shortest)
        counts = Counts.of(interactions, days_in(self.half_life_days, interactions))
        if np.count_nonzero(counts.total) < 2:
            return untaught
        training = Training(self.steps, self.cold_share, self.seed)
        taught = training.run(untaught.inputs(origins, catalogue), first, counts)
        return replace(untaught, parameters=taught)

    def load(self, columns: Columns, origins: Origins) -> "FittedTowers":
        """Undo `columns`."""
        behaviour = the_behaviour(origins, self.behaviour, "learned")
        parameters = {name: array for name, array in columns.items() if name not in _OF_SHOP}
        centre, spread = columns["prices"].tolist()
        return FittedTowers(behaviour, parameters, (centre, spread), float(columns["shortest"]))


@dataclass(frozen=True, slots=True)
class FittedTowers:
    """The towers of one shop; `prices` are median and spread of the log prices.

    Targets that the behaviour does not know are as long as the `shortest` of those it knows.
    """

    behaviour: str
    parameters: Parameters
    prices: tuple[float, float]
    shortest: float

    def apply(self, origins: Origins, catalogue: Catalogue) -> ItemVectors:
        """Queries and targets (n, d of content + d of behaviour); scores are at most 1.

        Items with neither content nor behaviour have zero rows.
        """
        inputs = self.inputs(origins, catalogue)
        known = (inputs.support > 0) | inputs.content.any(axis=1, keepdims=True)
        asking, found = (
            np.where(known, np.hstack(side(self.parameters, inputs)), 0).astype(np.float32)
            for side in (queries, targets)
        )
        return ItemVectors(asking, found)

    def columns(self) -> Columns:
        """The parameters of the towers, the scale of prices and the shortest target."""
        return dict(self.parameters) | {
            "prices": np.array(self.prices, dtype=np.float64),
            "shortest": np.array(self.shortest, dtype=np.float64),
        }

    def inputs(self, origins: Origins, catalogue: Catalogue) -> Inputs:
        """What the towers see."""
        behaviour = named(origins.behaviour, self.behaviour, "learned")
        return Inputs(
            content=origins.joined().matrix,
            sides=side_features(catalogue, self.prices),
            behaviour=behaviour.matrix,
            support=behaviour.support[:, None],
            length=np.minimum(target_lengths(behaviour, self.shortest), 1)[:, None],
        )
