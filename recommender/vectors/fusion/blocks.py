"""Joining embeddings side by side."""

from collections.abc import Mapping

import numpy as np

from recommender.core.arrays import ROWS_AT_ONCE, FloatMatrix, FloatVector, blocks, row_lengths
from recommender.core.recipe import TEXT
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError


def named(embeddings: Mapping[str, Embeddings], name: str, where: str) -> Embeddings:
    """The embeddings of one name. Raises: ConfigError naming the ones there are."""
    if name not in embeddings:
        raise ConfigError(f"{where}: no embeddings {name!r}; there are {', '.join(embeddings)}")
    return embeddings[name]


def the_behaviour(embeddings: Mapping[str, Embeddings], name: str, where: str) -> str:
    """The name of the behaviour that is meant; empty, the only one that there is.

    Raises: ConfigError where that is unclear.
    """
    if name:
        named(embeddings, name, where)
        return name
    models = [other for other in embeddings if other != TEXT]
    if len(models) != 1:
        raise ConfigError(
            f"{where}: behaviour is not named and the recipe has {len(models)} interaction "
            f"models ({', '.join(models) or 'none'}); set behaviour to one of them"
        )
    return models[0]


def side_by_side(parts: list[tuple[FloatVector, FloatMatrix]]) -> FloatMatrix:
    """Rows scaled by their weight (n,) and joined: (n, sum of the d), with nothing else of n."""
    ends = np.cumsum([matrix.shape[1] for _, matrix in parts])
    joined = np.empty((len(parts[0][1]), int(ends[-1])), dtype=np.float32)
    for rows in blocks(len(joined), ROWS_AT_ONCE):
        for (weight, matrix), end in zip(parts, ends.tolist(), strict=True):
            own = joined[rows, end - matrix.shape[1] : end]
            np.multiply(weight[rows, None], matrix[rows], out=own)
    return joined


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
