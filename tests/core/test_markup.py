"""Mark-up: what a browser would show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.markup import shown_text


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("plain < 5 &amp; more", ["plain < 5 & more"]),
        ("<p>One</p><p>Two</p>", ["One", "Two"]),
        ("W<b>or</b>d", ["Word"]),
        ("<style>p { color: red }</style><script>alert(1)</script>Chair", ["Chair"]),
        ("&lt;p&gt;escaped &amp;amp; twice&lt;/p&gt;", ["escaped & twice"]),
        ("<!-- hidden -->Lamp<br>E27", ["Lamp", "E27"]),
        ("<div>never closed", ["never closed"]),
    ],
)
def test_tags_go_and_paragraphs_are_lines(given_text: str, expected: list[str]) -> None:
    lines = [line.strip() for line in shown_text(given_text).splitlines() if line.strip()]
    assert lines == expected


def test_nesting_is_not_bounded_by_the_stack() -> None:
    assert shown_text("<div>" * 20_000 + "deep").strip() == "deep"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<&"), max_size=50))
def test_text_without_signs_of_markup_stays_as_it_is(text: str) -> None:
    assert shown_text(text) == text
