"""Annoy: a forest of random planes, in Spotify's library of that name."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recommender.core.arrays import Columns, FloatMatrix, Rows
from recommender.core.neighbours import NONE, Neighbours
from recommender.errors import ConfigError, MissingExtra
from recommender.vectors.index.exact import nonzero_rows
from recommender.vectors.index.ivf import recall_of, sample_of

FIRST_NODES = 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Annoy:
    """Annoy's index; as many nodes are searched as reach `recall` at 24 neighbours of a sample.

    Targets of unequal length get one more dimension, as in `ivf`, so that the smallest angle is the
    largest inner product; what is found is scored by that product. The forest grows in one thread
    from `seed`, so it is grown again rather than stored: neither are Annoy's files read, which are
    mapped into memory as they are, nor do they lie in an artifact.
    """

    trees: int = 50
    recall: float = 0.98
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.trees <= 10_000:
            raise ConfigError(f"annoy: trees = {self.trees} is not in 1..10000")
        if not 0 < self.recall <= 1:
            raise ConfigError(f"annoy: recall = {self.recall} is not in (0, 1]")

    def build(self, targets: FloatMatrix) -> AnnoyIndex:
        """Grow the forest on the targets (n, d), and choose how many nodes to search."""
        grown = self._grown(targets, FIRST_NODES)
        return _searching(grown, self._nodes(grown)) if len(grown.rows) else grown

    def restore(self, targets: FloatMatrix, columns: Columns) -> AnnoyIndex:
        """Grow the same forest again; how many nodes to search is known."""
        if not columns:
            return self.build(targets)
        return _searching(self._grown(targets, FIRST_NODES), int(columns["nodes"]))

    def _grown(self, targets: FloatMatrix, nodes: int) -> AnnoyIndex:
        try:
            from annoy import AnnoyIndex as Forest
        except ModuleNotFoundError as error:
            raise MissingExtra(
                "annoy is not installed: pip install 'recommender[annoy]', which compiles it"
            ) from error
        rows = nonzero_rows(targets)
        forest = Forest(targets.shape[1] + 1, "angular")
        forest.set_seed(self.seed + 1)
        if len(rows):
            for entry, vector in enumerate(equally_long(targets[rows])):
                forest.add_item(entry, vector)
            forest.build(self.trees, n_jobs=1)
        return AnnoyIndex(forest, targets, rows, nodes)

    def _nodes(self, grown: AnnoyIndex) -> int:
        """The fewest nodes, doubled from 256, at which a sample of targets reaches the recall."""
        sample, wanted = sample_of(grown.targets, grown.rows, self.seed)
        asked = np.pad(sample, ((0, 0), (0, 1)))
        nodes, reached = FIRST_NODES, 0.0
        most = 2 * self.trees * len(grown.rows)
        while nodes < most:
            found = [grown.rows[grown.entries(one, wanted.shape[1], nodes)] for one in asked]
            reached = recall_of(wanted, found)
            if reached >= self.recall:
                break
            nodes *= 2
        _log.info("trees=%d nodes=%d recall=%.3f", self.trees, nodes, reached)
        return min(nodes, most)


@dataclass(frozen=True, slots=True)
class AnnoyIndex:
    """A forest over the targets (n, d) that are not zero; `rows` (entries,) are their rows.

    A search looks at `nodes` nodes, and at some more where more neighbours are wanted.
    """

    forest: Any
    targets: FloatMatrix
    rows: Rows
    nodes: int
    learned: Columns = field(default_factory=dict)

    def columns(self) -> Columns:
        """What building it learned: how many nodes to search."""
        return self.learned

    def entries(self, vector: FloatMatrix, k: int, nodes: int) -> list[int]:
        """About k entries near a lengthened vector (d + 1,)."""
        found: list[int] = self.forest.get_nns_by_vector(vector, k, search_k=nodes)
        return found

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """At most k neighbours (b, k) of the queries (b, d); a zero query has none."""
        k = max(1, min(k, len(self.rows)))
        rows = np.full((len(queries), k), NONE, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        lengthened = np.pad(np.asarray(queries, dtype=np.float32), ((0, 0), (0, 1)))
        nodes = max(self.nodes, 2 * k)
        for row in np.flatnonzero(queries.any(axis=1)) if len(self.rows) else ():
            found = self.rows[self.entries(lengthened[row], k, nodes)]
            rows[row, : len(found)] = found
            scores[row, : len(found)] = self.targets[found] @ queries[row]
        return Neighbours.ordered(rows, scores)


def _searching(grown: AnnoyIndex, nodes: int) -> AnnoyIndex:
    return replace(grown, nodes=nodes, learned={"nodes": np.array(nodes)})


def equally_long(targets: FloatMatrix) -> FloatMatrix:
    """The targets (n, d) with one more dimension, all as long as the longest: (n, d + 1).

    Inner products with queries, which are zero there, stay as they are (Neyshabur, Srebro 2015, "On
    symmetric and asymmetric LSHs for inner product search").
    """
    squares = np.einsum("nd,nd->n", targets, targets)
    added = np.sqrt(np.maximum(squares.max() - squares, 0))
    return np.ascontiguousarray(np.column_stack([targets, added]), dtype=np.float32)
