"""Right singular vectors: as LAPACK has them, whatever the rank and the number of threads."""

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recommender.vectors.behaviour import right_vectors as module
from recommender.vectors.behaviour.right_vectors import right_vectors


def sparse(rows: int, columns: int, rank: int, seed: int = 0) -> sp.csr_array:
    rng = np.random.default_rng(seed)
    one, other = rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))
    dense = ((one * 0.5 ** np.arange(rank)) @ other).astype(np.float32)
    return sp.csr_array(sp.coo_array(dense))


@pytest.mark.parametrize(("rows", "columns"), [(200, 40), (40, 200), (3, 5), (1, 1)])
def test_as_lapack_has_them(rows: int, columns: int) -> None:
    matrix = sparse(rows, columns, min(rows, columns, 8))
    told: list[int] = []
    singular, vectors = right_vectors(matrix, 6, 4, 3, 0, told.append)
    _, expected, right = np.linalg.svd(matrix.toarray(), full_matrices=False)
    r = min(6, rows, columns)
    assert singular == pytest.approx(expected[:r], rel=1e-4)
    assert np.abs(np.sum(vectors.T * right[:r], axis=1)) == pytest.approx(np.ones(r), abs=1e-4)
    assert vectors.T @ vectors == pytest.approx(np.eye(r), abs=1e-4)
    assert told == [1] * 4


def test_dimensions_that_a_matrix_does_not_have_are_left_out() -> None:
    singular, vectors = right_vectors(sparse(50, 30, rank=3), 10, 5, 3, 0, lambda _: None)
    assert vectors.shape == (30, len(singular))
    assert len(singular) == 3


def test_bytes_do_not_depend_on_threads_or_on_columns_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = sparse(300, 120, 40)
    made = []
    for threads, columns in ((1, 32), (2, 32), (2, 5)):
        monkeypatch.setattr(module, "COLUMNS", columns)
        with threadpool_limits(threads, user_api="blas"):
            made.append(right_vectors(matrix, 20, 10, 3, 0, lambda _: None)[1].tobytes())
    assert made[0] == made[1] == made[2]
