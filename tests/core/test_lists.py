"""Columns of entries, and lists that must not be."""

import numpy as np
import pytest

from recommender.core.lists import PADDING, Entries, RelatedLists, first_rows
from recommender.core.neighbours import NONE
from recommender.errors import DataError


def lists(offsets: list[int], rows: list[int], scores: list[float]) -> RelatedLists:
    return RelatedLists(
        "related",
        np.array(offsets, dtype=np.int64),
        Entries(
            np.array(rows, dtype=np.int32),
            np.array(scores, dtype=np.float32),
            np.zeros(len(rows), dtype=np.uint8),
        ),
    )


def block(rows: list[list[int]], scores: list[list[float]]) -> Entries:
    """A block whose evidence numbers its entries."""
    made = np.array(rows, dtype=np.int32)
    codes = np.arange(made.size, dtype=np.uint8).reshape(made.shape) % 5
    return Entries(made, np.array(scores, dtype=np.float32), codes)


def test_lists_join_blocks_without_padding() -> None:
    low = -np.inf
    first = block([[1, 2], [NONE, NONE]], [[0.9, 0.4], [low, low]])
    second = block([[0, NONE]], [[1.0, low]])
    joined = RelatedLists.of_blocks("related", [first, second])
    assert joined.offsets.tolist() == [0, 2, 2, 3]
    assert joined.entries.rows.tolist() == [1, 2, 0]
    assert joined.entries.evidence.tolist() == [0, 1, 0]
    assert joined.owners.tolist() == [0, 0, 2]
    assert joined.of(2).rows.tolist() == [0]
    again = joined.block(range(2))
    assert again.rows.tolist() == [[1, 2], [NONE, NONE]]
    assert np.isneginf(again.scores[1]).all()
    assert first_rows(joined.sizes, joined.entries.rows, 1).tolist() == [[1], [NONE], [0]]


def test_every_operation_handles_every_column() -> None:
    entries = block([[3, 4], [5, NONE]], [[0.9, 0.4], [0.8, -np.inf]])
    for name, column in entries.columns().items():
        turned = entries.reordered(np.array([[1, 0], [1, 0]])).columns()[name]
        assert turned.tolist() == column[:, ::-1].tolist()
        kept = entries.where(np.array([[True, False], [False, False]])).columns()[name]
        assert kept[0, 0] == column[0, 0]
        assert (kept.ravel()[1:] == PADDING[name]).all()
        twice = Entries.concatenated([entries, entries]).columns()[name]
        assert twice.tolist() == [*column.tolist(), *column.tolist()]
        assert entries[0].columns()[name].tolist() == column[0].tolist()
    new = Entries.padded((2, 2))
    new.put_new(np.s_[0, 1], rows=7)
    assert new.rows.tolist() == [[NONE, 7], [NONE, NONE]]
    assert np.isneginf(new.scores).all()
    with pytest.raises(DataError, match="differ in shape"):
        Entries(entries.rows, entries.scores, entries.evidence[0])


@pytest.mark.parametrize(
    ("rows", "scores", "reason"),
    [
        ([0, 1], [0.5, 0.4], "its own item"),
        ([1, 1], [0.5, 0.4], "twice"),
        ([1, 5], [0.5, 0.4], "outside of the catalogue"),
        ([1, 2], [0.5, 0.0], r"outside of \(0, 1\]"),
        ([1, 2], [1.5, 0.4], r"outside of \(0, 1\]"),
        ([1, 2], [np.nan, 0.4], r"outside of \(0, 1\]"),
    ],
)
def test_lists_that_may_not_be(rows: list[int], scores: list[float], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        lists([0, 2, 2, 2], rows, scores)
