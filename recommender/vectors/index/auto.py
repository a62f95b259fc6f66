"""The index that suits the number of items."""

from dataclasses import dataclass

import numpy as np

from recommender.core.arrays import Columns, FloatMatrix
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import VectorIndex
from recommender.errors import ConfigError
from recommender.vectors.index.exact import Exact
from recommender.vectors.index.ivf import InvertedFile

EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Auto:
    """Exact search up to `exact_up_to` items, an inverted file with `recall` above.

    If the recall needs more than `probed_most` of the cells, an exact index is built instead,
    because it is hardly slower then.
    """

    exact_up_to: int = 300_000
    recall: float = 0.98
    seed: int = 0
    probed_most: float = 0.2

    def __post_init__(self) -> None:
        if self.exact_up_to < 0:
            raise ConfigError(f"auto: exact_up_to = {self.exact_up_to} is below 0")
        if not 0 <= self.probed_most <= 1:
            raise ConfigError(f"auto: probed_most = {self.probed_most} is not in 0..1")

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Index the targets (n, d)."""
        if len(targets) <= self.exact_up_to:
            return Exact().build(targets)
        index = self._inverted().build(targets)
        columns = index.columns()
        if columns and columns["probes"] > self.probed_most * len(columns["centroids"]):
            return Instead(Exact().build(targets))
        return index

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """The index that `build` made of the same targets."""
        if len(targets) <= self.exact_up_to:
            return Exact().restore(targets, columns)
        if EXACT in columns:
            return Instead(Exact().restore(targets, {}))
        return self._inverted().restore(targets, columns)

    def _inverted(self) -> InvertedFile:
        return InvertedFile(recall=self.recall, seed=self.seed)


@dataclass(frozen=True, slots=True)
class Instead:
    """An exact index that replaces an inverted file which would be slower; its columns say so."""

    exact: VectorIndex

    def columns(self) -> Columns:
        """A mark that the index is exact."""
        return {EXACT: np.array(1), "recall": np.array(1.0)}

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """The k neighbours (b, k) of the queries (b, d)."""
        return self.exact.search(queries, k)
