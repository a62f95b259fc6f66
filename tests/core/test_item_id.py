"""What an item id may be, one by one and many at once."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recommender.core.item_id import MAX_BYTES, fault, faults

values = st.one_of(st.text(max_size=MAX_BYTES + 2), st.integers(), st.none(), st.just("\ud800"))


@pytest.mark.fault(41)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty"),
        ("a\nb", "a control character in it"),
        ("a\0b", "a control character in it"),
        ("\x85", "a control character in it"),
        ("\ud800", "not UTF-8"),
        ("x" * 129, "longer than 128 bytes"),
        ("é" * 65, "longer than 128 bytes"),
        (7, "not text but int"),
        (None, "not text but NoneType"),
    ],
)
def test_what_is_no_id(value: object, reason: str) -> None:
    assert fault(value) == reason


@pytest.mark.parametrize("value", ["007", "a b", " ", "x" * 128, "é" * 64, "\U0001f916", "\u202e"])
def test_what_is_an_id(value: str) -> None:
    assert fault(value) is None


@example(["a", "x" * (MAX_BYTES + 1)])
@example(["a", 7])
@example(["a", ""])
@example(["a", "b\n"])
@given(st.lists(values, max_size=6))
def test_many_are_judged_like_each_alone(given_values: list[object]) -> None:
    one_by_one = [(place, fault(value)) for place, value in enumerate(given_values)]
    assert list(faults(given_values)) == [(place, why) for place, why in one_by_one if why]
