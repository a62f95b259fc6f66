import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core import item_id
from recommender.core.ids import ItemIds
from recommender.errors import DataError

ids = st.text(min_size=1, max_size=40).filter(lambda text: item_id.fault(text) is None)


@given(st.lists(ids, unique=True, max_size=30))
def test_columns_round_trip_exactly(values: list[str]) -> None:
    made = ItemIds(tuple(values))
    again = ItemIds.from_columns(made.columns())
    assert again == made
    assert again.rows(values).tolist() == list(range(len(values)))


def test_ids_that_look_alike_stay_apart() -> None:
    alike = ("007", "7", "A", "a", "é", "e\u0301", "NA", "null", "1e5", "123456789012345678")
    made = ItemIds(alike)
    assert [made.row(value) for value in alike] == list(range(len(alike)))
    assert made.rows(["7.0", "na", "007"]).tolist() == [-1, -1, 0]


@pytest.mark.parametrize("value", ["", "a\nb", "\ud800", "x" * 129, 7, None])
def test_what_is_no_id_is_refused_with_the_reason(value: object) -> None:
    with pytest.raises(DataError, match=item_id.fault(value)):
        ItemIds((value,))  # type: ignore[arg-type]


def test_an_id_stands_once() -> None:
    with pytest.raises(DataError, match="'b' stands twice"):
        ItemIds(("a", "b", "b"))
