"""Weighted concatenation of embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recommender.core.arrays import (
    ROWS_AT_ONCE,
    Columns,
    FloatMatrix,
    FloatVector,
    blocks,
    unit_rows,
)
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Unit rows side by side, each scaled by its weight: the score is a weighted mean of cosines.

    `weights` names origins of content and interaction models; without any, all count the same.
    """

    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not (np.isfinite(weight) and weight > 0):
                raise ConfigError(f"concatenation: weight of {name} = {weight} is not above 0")

    def fuse(
        self, origins: Origins, catalogue: Catalogue, interactions: Interactions
    ) -> "FittedConcatenation":
        """Check the names. Raises: ConfigError where an origin is not there."""
        weights = dict(self.weights) or dict.fromkeys(origins.by_name(), 1.0)
        for name in weights:
            named(origins.by_name(), name, "concatenation")
        total = sum(weights.values())
        return FittedConcatenation({name: weight / total for name, weight in weights.items()})

    def load(self, columns: Columns, origins: Origins) -> "FittedConcatenation":
        """Undo `columns`; the order in which vectors are joined is that of the fit."""
        names = self.weights or origins.by_name()
        shares = dict(zip(sorted(names), columns["shares"], strict=True))
        return FittedConcatenation({name: float(shares[name]) for name in names})


@dataclass(frozen=True, slots=True)
class FittedConcatenation:
    """Concatenation with the share of each origin; the shares sum to one."""

    shares: Mapping[str, float]

    def apply(self, origins: Origins, catalogue: Catalogue) -> ItemVectors:
        """Item vectors (n, sum of the d) of length one, or zero."""
        embeddings = origins.by_name()
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


def named(embeddings: Mapping[str, Embeddings], name: str, where: str) -> Embeddings:
    """The embeddings of one name. Raises: ConfigError naming the ones there are."""
    if name not in embeddings:
        raise ConfigError(f"{where}: no embeddings {name!r}; there are {', '.join(embeddings)}")
    return embeddings[name]


def side_by_side(parts: list[tuple[FloatVector, FloatMatrix]]) -> FloatMatrix:
    """Rows scaled by their weight (n,) and joined: (n, sum of the d), with nothing else of n."""
    ends = np.cumsum([matrix.shape[1] for _, matrix in parts])
    joined = np.empty((len(parts[0][1]), int(ends[-1])), dtype=np.float32)
    for rows in blocks(len(joined), ROWS_AT_ONCE):
        for (weight, matrix), end in zip(parts, ends.tolist(), strict=True):
            own = joined[rows, end - matrix.shape[1] : end]
            np.multiply(weight[rows, None], matrix[rows], out=own)
    return joined
