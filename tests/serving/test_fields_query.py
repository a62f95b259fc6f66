from collections.abc import Mapping
from typing import Any

import pytest

from recommender.serving.expressions import ExpressionError
from recommender.serving.fields_query import checked_fields, no_fields


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"records": 1}, TypeError, "records: true or false"),
        ({"where": 3}, TypeError, "where: text, not int"),
        ({"language": b"de"}, TypeError, "language: text, not bytes"),
        ({"whree": "x"}, TypeError, "whree: unknown; there are records, where"),
        ({"where": "price ="}, ExpressionError, "write =="),
        ({"boost": "f(x)"}, ExpressionError, "use fields"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    options: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        checked_fields(3, options)  # type: ignore[arg-type]


def test_no_options_ask_for_nothing() -> None:
    assert checked_fields(3, {}) is None
    assert checked_fields(3, {"records": False, "where": "", "store": "berlin"}) is None
    assert checked_fields(3, {"language": "de"}) is None


def test_a_condition_needs_whole_lists() -> None:
    condition, records = checked_fields(3, {"where": "a > 1"}), checked_fields(3, {"records": True})
    assert condition is not None
    assert condition.whole_lists
    assert records is not None
    assert not records.whole_lists
    assert no_fields(3).n == 3
    assert not no_fields(3).whole_lists
