import pytest

from recommender.serving.filter_counts import Filtered


@pytest.mark.parametrize(
    ("looked_at", "dropped", "tenths"),
    [(10, 0, 0), (36, 1, 1), (10, 3, 3), (36, 35, 10), (5, 5, 10)],
)
def test_shares_are_rounded_up_to_tenths(looked_at: int, dropped: int, tenths: int) -> None:
    assert Filtered("similar", looked_at, dropped, short=False).counts() == {
        "filtered_answers.similar": 1,
        "filtered_looked_at.similar": looked_at,
        "filtered_dropped.similar": dropped,
        "filtered_short.similar": 0,
        f"filtered_tenths_{tenths}.similar": 1,
    }


def test_an_empty_list_counts_nowhere() -> None:
    assert Filtered("similar", 0, 0, short=True).counts() == {}
