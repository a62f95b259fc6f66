"""Weighted concatenation of embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recommender.core.arrays import Columns, unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.vectors import Embeddings, ItemVectors
from recommender.errors import ConfigError
from recommender.vectors.fusion.blocks import named, side_by_side


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Unit rows side by side, each scaled by its weight: the score is a weighted mean of cosines.

    `weights` names the embeddings; empty, every one counts the same.
    """

    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not (np.isfinite(weight) and weight > 0):
                raise ConfigError(f"concatenation: weight of {name} = {weight} is not above 0")

    def fuse(
        self,
        embeddings: Mapping[str, Embeddings],
        catalogue: Catalogue,
        interactions: Interactions,
    ) -> "FittedConcatenation":
        """Check the names. Raises: ConfigError where an embedding is not there."""
        weights = dict(self.weights) or dict.fromkeys(embeddings, 1.0)
        for name in weights:
            named(embeddings, name, "concatenation")
        total = sum(weights.values())
        return FittedConcatenation({name: weight / total for name, weight in weights.items()})

    def load(self, columns: Columns, embeddings: Mapping[str, Embeddings]) -> "FittedConcatenation":
        """Undo `columns`; the order in which vectors are joined is that of the fit."""
        shares = dict(zip(sorted(self.weights or embeddings), columns["shares"], strict=True))
        return FittedConcatenation(
            {name: float(shares[name]) for name in self.weights or embeddings}
        )


@dataclass(frozen=True, slots=True)
class FittedConcatenation:
    """Concatenation with the share of each embedding, which sum to one."""

    shares: Mapping[str, float]

    def apply(self, embeddings: Mapping[str, Embeddings], catalogue: Catalogue) -> ItemVectors:
        """Item vectors (n, sum of the d) of length one, or zero."""
        parts = [
            (
                np.full(len(catalogue), np.sqrt(share), dtype=np.float32),
                named(embeddings, name, "concatenation").matrix,
            )
            for name, share in self.shares.items()
        ]
        vectors = unit_rows(side_by_side(parts))
        return ItemVectors(vectors, vectors)

    def columns(self) -> Columns:
        """The shares, by name in sorted order."""
        return {"shares": np.array([self.shares[name] for name in sorted(self.shares)])}
