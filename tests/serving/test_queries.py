import pytest

from recommender.serving.queries import MAX_PLACEMENTS, checked_placements, checked_query
from recommender.serving.state import MAX_SHOWN


def test_whole_lists_are_read_under_a_condition() -> None:
    plain = checked_query("related", 6, (), min_score=0.0, key="")
    filtered = checked_query("related", 6, (), {"where": "stock > 0"}, min_score=0.0, key="")
    assert (plain.n, plain.fields) == (6, None)
    assert filtered.n == MAX_SHOWN
    assert filtered.fields is not None
    assert filtered.fields.n == 6


def test_placements_are_asked_once_and_at_most_twenty() -> None:
    assert checked_placements(["next", "related", "next"]) == ["next", "related"]
    assert len(checked_placements([f"p{number}" for number in range(30)])) == MAX_PLACEMENTS


@pytest.mark.parametrize("placements", ["related", 3])
def test_placements_are_a_collection(placements: object) -> None:
    with pytest.raises(TypeError, match="placements: a collection of names"):
        checked_placements(placements)  # type: ignore[arg-type]
