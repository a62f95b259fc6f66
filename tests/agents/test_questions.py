"""What agents may ask."""

import pytest

from recommender.agents.questions import HealthQuestion, RelatedQuestion, SearchQuestion, asked
from recommender.errors import DataError


def test_one_id_is_a_list_of_one() -> None:
    assert asked(RelatedQuestion, {"items": "a"}).items == ("a",)
    assert asked(SearchQuestion, {"words": "a"}).n == 10


def test_a_question_without_arguments_takes_none() -> None:
    with pytest.raises(DataError, match="'x': unknown argument; there are: none"):
        asked(HealthQuestion, {"x": 1})


def test_numbers_that_no_price_has() -> None:
    with pytest.raises(DataError, match="price_max = nan"):
        asked(SearchQuestion, {"words": "a", "price_max": float("nan")})
