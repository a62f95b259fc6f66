"""Alternating least squares on units by items."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import unit_rows
from recommender.core.interactions import Interactions, Unit, support
from recommender.core.telemetry import Progress
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class AlternatingLeastSquares:
    """Item factors of implicit's weighted matrix factorisation, of length one.

    Source: Hu, Koren, Volinsky 2008, "Collaborative filtering for implicit feedback datasets".
    """

    unit: Unit = "auto"
    dimensions: int = 128
    iterations: int = 15
    regularization: float = 0.01
    alpha: float = 1.0
    weighting: Literal["none", "bm25"] = "bm25"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= 4096:
            raise ConfigError(f"als: dimensions = {self.dimensions} is not in 1..4096")
        if self.iterations < 1:
            raise ConfigError(f"als: iterations = {self.iterations} is below 1")

    def fit(self, interactions: Interactions, progress: Progress) -> Embeddings:
        """Embeddings (n, dimensions); zero rows without any interactions.

        Raises: DataError where the factors do not stay finite.
        """
        seen = interactions.matrix(self.unit)
        known = support(seen)
        if seen.nnz == 0:
            return Embeddings(np.zeros((seen.shape[1], self.dimensions), np.float32), known)
        return Embeddings.of_rows(unit_rows(self._factors(seen, progress)), known)

    def _factors(self, seen: sp.csr_array, progress: Progress) -> np.ndarray:
        from implicit.als import AlternatingLeastSquares as Solver
        from implicit.nearest_neighbours import bm25_weight
        from implicit.recommender_base import ModelFitError
        from threadpoolctl import threadpool_limits

        weighted = sp.csr_matrix(seen)
        if self.weighting == "bm25":
            weighted = bm25_weight(weighted.T, K1=100, B=0.8).T.tocsr()
        with (
            progress("fit ALS", self.iterations) as advance,
            threadpool_limits(1, user_api="blas"),
        ):
            solver = Solver(
                factors=self.dimensions,
                iterations=self.iterations,
                regularization=self.regularization,
                alpha=self.alpha,
                random_state=self.seed,
                use_gpu=False,
            )
            try:
                solver.fit(
                    weighted.astype(np.float32),
                    show_progress=False,
                    callback=lambda *_: advance(1),
                )
            except ModelFitError as error:
                raise DataError(f"als: {error}; look for extreme weights or lower alpha") from error
        return np.asarray(solver.item_factors)
