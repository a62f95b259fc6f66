import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.neighbours import NONE, Neighbours


@given(st.data())
def test_keep_is_a_prefix_of_what_is_kept(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 8))
    found = data.draw(st.integers(0, width))
    rows = np.array([[*range(found), *[NONE] * (width - found)]], dtype=np.int32)
    scores = np.where(rows == NONE, -np.inf, 1.0 - rows / 10).astype(np.float32)
    kept = np.array([data.draw(st.lists(st.booleans(), min_size=width, max_size=width))])
    depth = data.draw(st.integers(1, width))
    left = Neighbours(rows, scores).keep(kept, depth)
    expected = [row for row, keep in zip(range(found), kept[0], strict=False) if keep][:depth]
    assert left.rows[0][left.found[0]].tolist() == expected
    assert left.rows.shape[1] == depth
    assert (np.isneginf(left.scores[0]) == ~left.found[0]).all()


def test_ordered_breaks_ties_by_row_and_puts_padding_last() -> None:
    rows = np.array([[NONE, 7, 3, 5]], dtype=np.int32)
    scores = np.array([[9.0, 0.5, 0.5, 0.8]], dtype=np.float32)
    assert Neighbours.ordered(rows, scores).rows.tolist() == [[5, 3, 7, NONE]]


def test_equal_scores_favour_no_column() -> None:
    alike = sp.csr_array(np.ones((400, 400), dtype=np.float32))
    lists = Neighbours.of_sparse(alike, 10)
    shown = np.bincount(lists.rows.ravel(), minlength=400)
    assert (shown > 0).mean() > 0.99
    halves = [Neighbours.of_sparse(alike[:200], 10), Neighbours.of_sparse(alike[200:], 10, 200)]
    assert (Neighbours.joined(halves).rows == lists.rows).all()
