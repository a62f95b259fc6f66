import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.languages import MAX_CHARACTERS, language_of, preferences

LANGUAGES = ("de", "fr", "pt-BR")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("de", "de"),
        ("DE-at", "de"),
        ("pt", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("fr;q=0.5, de;q=0.8", "de"),
        ("fr, de", "fr"),
        ("it, es;q=0.9, fr;q=0.1", "fr"),
        ("en-GB, de;q=0.9", "en"),
        ("it, *;q=0.1, de;q=0.05", "en"),
        ("de;q=0, fr;q=0.1", "fr"),
        ("de;q=0, de-AT", "en"),
        ("de;q=2, fr;q=x, de-;q=1", "en"),
        ("de;level=1", "en"),
        ("", "en"),
        ("it", "en"),
        (" " * MAX_CHARACTERS + "de", "en"),
    ],
)
def test_the_language_that_is_wanted_most_is_taken(text: str, language: str) -> None:
    assert language_of(text, LANGUAGES, "en") == language


def test_a_shop_that_names_no_language_answers_in_those_that_it_has() -> None:
    assert language_of("it, de;q=0.1", LANGUAGES, "") == "de"
    assert language_of("it", LANGUAGES, "") == ""


def test_preferences_are_sorted_by_quality_and_keep_their_order() -> None:
    assert preferences("a, b;q=0.5, c ; q=1.0, d;q=.5, *;q=0") == (
        ("a", 1.0),
        ("c", 1.0),
        ("b", 0.5),
        ("*", 0.0),
    )


@given(st.text())
def test_whatever_is_asked_the_language_is_one_of_the_shops(text: str) -> None:
    assert language_of(text, LANGUAGES, "en") in {*LANGUAGES, "en"}
