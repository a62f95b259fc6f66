"""Right singular vectors of a tall sparse matrix, in memory that does not grow with its rows.

Randomised subspace iteration (Halko, Martinsson, Tropp 2011, "Finding structure with randomness"),
with every step on the side of the columns: n items are fewer than u baskets, and u by l numbers for
five million baskets are more than a machine has. As many products as the usual way, and the same
subspace: rows of the small matrix B = QᵀA, for Q an orthonormal basis of A V, span AᵀA V, so that B
need not be formed. All Gram matrices are summed in fp64 and inverted by their eigenvectors, which
drops directions that the matrix does not have.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, blocks
from recommender.core.cpu import blas_threads
from recommender.core.progress import Advance

COLUMNS, NUMBERS = 32, 2**27
"""Of one thread's product with all rows: columns, and numbers (512 MB)."""
ROWS = 16_384
NOTHING = 1e-10
"""Beside the largest eigenvalue of a Gram matrix."""

Doubles = NDArray[np.float64]


def right_vectors(
    matrix: sp.csr_array, rank: int, oversamples: int, iterations: int, seed: int, advance: Advance
) -> tuple[FloatVector, FloatMatrix]:
    """Singular values (r,), largest first, and right singular vectors (n, r) of a matrix (u, n).

    r is at most `rank`, and less where the matrix has fewer dimensions. `advance` is told of each
    of the `iterations` + 1 products with AᵀA. Bytes do not depend on the number of threads.
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
