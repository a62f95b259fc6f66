"""Truncated SVD of weighted co-occurrence."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, blocks, unit_rows
from recommender.core.co_occurrence import WeightedUnits, popularity_lengths
from recommender.core.cpu import blas_threads
from recommender.core.half_life import HalfLife, days_in, require_half_life
from recommender.core.interactions import Interactions, Unit, support
from recommender.core.telemetry import Advance, Progress
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError

OVERSAMPLES = 32


@dataclass(frozen=True, slots=True)
class CoOccurrenceSVD:
    """The leading eigenvectors of weighted co-occurrence: unit queries, targets by popularity.

    Let X (u, n) be units by items, each unit weighing 1/(size - 1)^`size_power` (a large basket
    says little of each of its pairs) and half as much for every `half_life_days` of age (0: no
    decay); w its item sums, c the weight of `shrinkage` average lines. The shrunk cosine of
    co-occurrence is AᵀA for A = X (w + c)^-½, so its eigenvectors are A's right singular vectors
    V and the n by n counts are never formed. The shrinkage keeps items with one or two baskets,
    whose cosines are extreme, from taking up the leading dimensions. Rows of V, each column times
    its singular value, ask at length one; targets are the same rows at length
    (w / largest w)^`popularity`, since a common item is found in more baskets than a rare one
    that is just as near.

    Where units are baskets or sessions, everything that a user ever had is one more unit; all
    histories together say `histories` times as much as all baskets.

    Source: the factorisation view of Levy, Goldberg 2014, "Neural word embedding as implicit
    matrix factorization"; randomised SVD of Halko, Martinsson, Tropp 2011.
    """

    unit: Unit = "auto"
    dimensions: int = 256
    half_life_days: HalfLife = "auto"
    size_power: float = 0.5
    shrinkage: float = 5.0
    popularity: float = 0.2
    histories: float = 0.0
    iterations: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= 4096:
            raise ConfigError(
                f"co-occurrence-svd: dimensions = {self.dimensions} is not in 1..4096"
            )
        if self.iterations < 1:
            raise ConfigError(f"co-occurrence-svd: iterations = {self.iterations} is below 1")
        require_half_life(self.half_life_days, "co-occurrence-svd")
        for name in ("size_power", "shrinkage", "popularity", "histories"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ConfigError(f"co-occurrence-svd: {name} = {value} is below 0")

    def fit(self, interactions: Interactions, progress: Progress) -> Embeddings:
        """Embeddings (n, at most dimensions); zero rows for items that are never with another."""
        days = days_in(self.half_life_days, interactions, self.unit)
        units = WeightedUnits.of(interactions, self.unit, days, self.size_power)
        parts = self._parts(interactions, units)
        with progress("fit co-occurrence", self.iterations + 1) as advance:
            rows = unit_rows(self._vectors(parts, advance))
        known = Embeddings.of_rows(rows, support(interactions.matrix(self.unit)))
        if self.popularity == 0:
            return known
        lengths = popularity_lengths(units.item_weight, self.popularity)
        return Embeddings(known.matrix, known.support, known.matrix * lengths[:, None])

    def _parts(self, interactions: Interactions, units: WeightedUnits) -> list[sp.csr_array]:
        """Normalised units, and the histories of users if the shop has units besides them."""
        parts = [units.normalised(self.shrinkage)]
        named = (interactions.basket >= 0) | (interactions.session >= 0)
        if not self.histories or self.unit == "user" or not named.any():
            return parts
        users = WeightedUnits.of(interactions, "user", np.inf, self.size_power)
        if users.pair_mass == 0:
            return parts
        share = self.histories * units.pair_mass / users.pair_mass
        return [*parts, users.normalised(self.shrinkage) * np.float32(np.sqrt(share))]

    def _vectors(self, parts: list[sp.csr_array], advance: Advance) -> FloatMatrix:
        scaled = sp.csr_array(sp.vstack(parts))
        n_items = scaled.shape[1]
        if not min(scaled.shape) or not scaled.nnz:
            return np.zeros((n_items, 1), dtype=np.float32)
        singular, vectors = right_vectors(
            scaled, self.dimensions, OVERSAMPLES, self.iterations, self.seed, advance
        )
        vectors *= singular
        vectors[np.linalg.norm(vectors, axis=1) < 1e-4 * singular.max(initial=0)] = 0
        return vectors


COLUMNS, NUMBERS = 32, 2**27
"""Of one thread's product with all rows: columns, and numbers (512 MB)."""
ROWS = 16_384
NOTHING = 1e-10
"""Relative to the largest eigenvalue of a Gram matrix."""

Doubles = NDArray[np.float64]


def right_vectors(
    matrix: sp.csr_array, rank: int, oversamples: int, iterations: int, seed: int, advance: Advance
) -> tuple[FloatVector, FloatMatrix]:
    """Singular values (r,), largest first, and right singular vectors (n, r) of a matrix (u, n).

    r is at most `rank`, and less where the matrix has fewer dimensions. `advance` is called after
    each of the `iterations` + 1 products with AᵀA. Bytes do not depend on the number of threads.
    """
    from threadpoolctl import threadpool_limits

    threads = blas_threads()
    with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, user_api="blas"):
        products = _Products(matrix, matrix.T.tocsr(), pool)
        width = min(rank + oversamples, *matrix.shape)
        rng = np.random.default_rng(seed)
        basis = rng.standard_normal((matrix.shape[1], width), dtype=np.float32)
        for _ in range(iterations):
            products.multiply(basis)
            basis = products.combined(basis, _whitening(products.gram(basis, basis)))
            advance(1)
        image = basis.copy()
        products.multiply(image)
        advance(1)
        # With A V = Q R: RᵀR = Vᵀ(AᵀA V), and B = QᵀA = R⁻ᵀ(AᵀA V)ᵀ
        inverse = _whitening(products.gram(basis, image))
        del basis
        squares, rotation = np.linalg.eigh(inverse.T @ products.gram(image, image) @ inverse)
        known = squares > NOTHING * squares.max(initial=0)
        kept = np.flatnonzero(known)[::-1][:rank]
        singular = np.sqrt(squares[kept])
        vectors = products.combined(image, inverse @ rotation[:, kept] / singular)
        return singular.astype(np.float32), vectors


@dataclass(frozen=True, slots=True)
class _Products:
    """Products with a sparse matrix A (u, n) and of dense ones (n, l), some of it in each thread.

    What is cut into parts does not depend on how many threads there are.
    """

    matrix: sp.csr_array
    transposed: sp.csr_array
    pool: ThreadPoolExecutor

    def multiply(self, basis: FloatMatrix) -> None:
        """Replace `basis` (n, l) by AᵀA times it, column by column."""
        width = max(1, min(COLUMNS, NUMBERS // self.matrix.shape[0]))

        def multiply(columns: slice) -> None:
            asked = np.ascontiguousarray(basis[:, columns])
            basis[:, columns] = self.transposed @ (self.matrix @ asked)

        list(self.pool.map(multiply, blocks(basis.shape[1], width)))

    def gram(self, one: FloatMatrix, other: FloatMatrix) -> Doubles:
        """The symmetric product oneᵀ other (l, l) of two matrices (n, l)."""
        total = np.zeros((one.shape[1], other.shape[1]))

        def part(rows: slice) -> Doubles:
            product: Doubles = one[rows].astype(np.float64).T @ other[rows].astype(np.float64)
            return product

        for product in self.pool.map(part, blocks(len(one), ROWS)):
            total += product
        return (total + total.T) / 2

    def combined(self, matrix: FloatMatrix, weights: Doubles) -> FloatMatrix:
        """A matrix (n, l) times weights (l, r)."""
        made = np.empty((len(matrix), weights.shape[1]), dtype=np.float32)
        small = weights.astype(np.float32)

        def combine(rows: slice) -> None:
            np.matmul(matrix[rows], small, out=made[rows])

        list(self.pool.map(combine, blocks(len(matrix), ROWS)))
        return made


def _whitening(gram: Doubles) -> Doubles:
    """W (l, r) with WᵀGW = 1, for a Gram matrix G (l, l) of r dimensions."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > NOTHING * values.max(initial=0)
    whitening: Doubles = vectors[:, kept] / np.sqrt(values[kept])
    return whitening
