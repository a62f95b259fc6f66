"""Layouts of text files."""

import pytest

from recommender.readers.layouts import TextLayout


def test_a_layout_has_the_usual_values() -> None:
    assert TextLayout() == TextLayout("", "utf-8", 0, "", "", ())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"skip_lines": -1}, "skip_lines -1"),
        ({"escape": "ab"}, "escape 'ab'"),
        ({"header": ("a", "a")}, "header"),
        ({"header": ("a", " ")}, "header"),
        ({"encoding": "no"}, "encoding 'no'"),
    ],
)
def test_a_wrong_layout_is_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        TextLayout(**wrong)  # type: ignore[arg-type]
