"""The index that fits the number of items."""

from dataclasses import dataclass

from recommender.arrays import Columns, FloatMatrix
from recommender.errors import ConfigError
from recommender.indexes.exact import Exact
from recommender.indexes.ivf import InvertedFile
from recommender.protocols import IndexBuilder, VectorIndex


@dataclass(frozen=True, slots=True)
class Auto:
    """Exact search up to `exact_up_to` items, an inverted file with `recall` above."""

    exact_up_to: int = 300_000
    recall: float = 0.98
    seed: int = 0

    def __post_init__(self) -> None:
        if self.exact_up_to < 0:
            raise ConfigError(f"auto: exact_up_to = {self.exact_up_to} is below 0")

    def build(self, targets: FloatMatrix) -> VectorIndex:
        """Index the targets (n, d)."""
        return self._fitting(targets).build(targets)

    def restore(self, targets: FloatMatrix, columns: Columns) -> VectorIndex:
        """The index that `build` made of the same targets."""
        return self._fitting(targets).restore(targets, columns)

    def _fitting(self, targets: FloatMatrix) -> IndexBuilder:
        if len(targets) <= self.exact_up_to:
            return Exact()
        return InvertedFile(recall=self.recall, seed=self.seed)
