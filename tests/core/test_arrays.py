import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recommender.core.arrays import (
    blocks,
    first_of_each,
    frozen,
    pack_texts,
    release_pages,
    require_finite,
    row_lengths,
    text_codes,
    unit_rows,
    unpack_texts,
)
from recommender.errors import DataError

finite = st.floats(-1e3, 1e3, width=32).map(lambda x: x if abs(x) > 1e-15 else 0.0)


@pytest.mark.fault(38)
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=finite))
def test_unit_rows_have_length_one_or_are_zero(matrix: np.ndarray) -> None:
    before = matrix.copy()
    norms = np.linalg.norm(unit_rows(matrix), axis=1)
    expected = np.where(np.linalg.norm(matrix, axis=1) > 0, 1, 0)
    assert norms == pytest.approx(expected, abs=1e-3)
    assert (matrix == before).all()


@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 4)))
def test_first_of_each_marks_every_value_once(codes: np.ndarray) -> None:
    for row, marked in zip(codes, first_of_each(codes), strict=True):
        seen: set[int] = set()
        for code, first in zip(row.tolist(), marked.tolist(), strict=True):
            assert first == (code not in seen)
            seen.add(code)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=20)
    | st.lists(st.text(st.characters(codec="ascii"), max_size=20), max_size=20)
)
def test_texts_round_trip(texts: list[str]) -> None:
    assert unpack_texts("x", pack_texts("x", texts)) == tuple(texts)
    codes, distinct = text_codes(texts)
    assert [distinct[code] for code in codes.tolist()] == texts
    assert len(set(distinct)) == len(distinct)


@given(st.integers(0, 50), st.integers(1, 60))
def test_blocks_cover_everything_once(total: int, size: int) -> None:
    covered = [place for block in blocks(total, size) for place in range(total)[block]]
    assert covered == list(range(total))


def test_frozen_leaves_the_callers_array_writable() -> None:
    mine = np.zeros(3)
    view = frozen(mine)
    mine[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 2


@pytest.mark.fault(34)
def test_what_is_not_finite_is_named() -> None:
    with pytest.raises(DataError, match=r"factors: row 1 is not finite \(1 such rows\)"):
        require_finite(np.array([[1.0], [np.nan]]), "factors")


def test_released_pages_are_read_again(tmp_path: Path) -> None:
    made = np.arange(1_000_000, dtype=np.float32)
    np.save(tmp_path / "made.npy", made)
    held = frozen(np.load(tmp_path / "made.npy", mmap_mode="r"))
    assert held.sum() == made.sum()
    before = resident_bytes()
    release_pages(held, made)
    assert before - resident_bytes() >= 3_000_000
    assert (held == made).all()


def resident_bytes() -> int:
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc on this system")
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_row_lengths() -> None:
    matrix = np.array([[3, 4], [0, 0]] * 3000, dtype=np.float32)
    assert row_lengths(matrix).tolist() == [5, 0] * 3000
