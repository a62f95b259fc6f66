"""Truncated SVD of weighted co-occurrence."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recommender.arrays import FloatMatrix, unit_rows
from recommender.errors import ConfigError
from recommender.interactions import Interactions, Unit, support
from recommender.progress import Progress
from recommender.vectors import Embeddings

OVERSAMPLES = 32


@dataclass(frozen=True, slots=True)
class CoOccurrenceSVD:
    """The leading eigenvectors of the cosine of co-occurrence, of length one.

    With X (u, n) the weighted units by items and D the column sums of its squares, the cosine of
    co-occurrence is AᵀA for A = X D^-½, with ones on its diagonal. So its eigenvectors are A's
    right singular vectors V, and without the diagonal its eigenvalues are σ² - 1: the n by n
    counts are never formed. Rows of V √(σ² - 1) approximate it in `dimensions`.

    Source: the factorisation view of Levy, Goldberg 2014, "Neural word embedding as implicit
    matrix factorization"; randomised SVD of Halko, Martinsson, Tropp 2011.
    """

    unit: Unit = "auto"
    dimensions: int = 256
    iterations: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= 4096:
            raise ConfigError(
                f"co-occurrence-svd: dimensions = {self.dimensions} is not in 1..4096"
            )
        if self.iterations < 1:
            raise ConfigError(f"co-occurrence-svd: iterations = {self.iterations} is below 1")

    def fit(self, interactions: Interactions, progress: Progress) -> Embeddings:
        """Embeddings (n, at most dimensions); zero rows for items that are never with another."""
        seen = interactions.matrix(self.unit)
        with progress("fit co-occurrence", 1) as advance:
            vectors = self._vectors(seen)
            advance(1)
        return Embeddings.of_rows(unit_rows(vectors), support(seen))

    def _vectors(self, seen: sp.csr_array) -> FloatMatrix:
        from sklearn.utils.extmath import randomized_svd

        n_units, n_items = seen.shape
        rank = min(self.dimensions, n_units, n_items)
        if rank == 0 or seen.nnz == 0:
            return np.zeros((n_items, 1), dtype=np.float32)
        norms = np.sqrt(np.asarray(seen.multiply(seen).sum(axis=0), dtype=np.float32))
        scale = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        scaled = sp.csr_matrix(seen @ sp.diags_array(scale)).astype(np.float32)
        _, singular, right = randomized_svd(
            scaled,
            n_components=rank,
            n_oversamples=OVERSAMPLES,
            n_iter=self.iterations,
            random_state=self.seed,
        )
        eigenvalues = np.maximum(singular.astype(np.float64) ** 2 - 1, 0)
        lengths = np.sqrt(eigenvalues, where=eigenvalues > 1e-6, out=np.zeros_like(eigenvalues))
        vectors = np.ascontiguousarray(right.T * lengths, dtype=np.float32)
        vectors[np.linalg.norm(vectors, axis=1) < 1e-4] = 0
        return vectors
