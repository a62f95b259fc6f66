"""Titles that say nothing, found from the catalogue itself."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.insights.finding import KINDS
from recommender.insights.text_checks import run_together, spelt_alike, words_of
from recommender.insights.titles import title_findings


def found(titles: list[str], ids: list[str] | None = None) -> dict[str, list[int]]:
    names = ids or [f"i{row}" for row in range(len(titles))]
    catalogue = Catalogue.of_titles(ItemIds(tuple(names)), titles)
    kinds: dict[str, list[int]] = {}
    for finding in title_findings(catalogue, [words_of(title) for title in titles]):
        assert finding.kind in KINDS
        assert finding.detail
        kinds.setdefault(finding.kind, []).append(finding.row)
    return kinds


COLOURS = ("red", "blue", "green", "black", "white")
PLAIN = [
    f"{colour} {thing}"
    for thing in ("kettle", "lamp", "rake", "drum", "bell")
    for colour in COLOURS
]


def test_plain_titles_are_no_finding_in_small_letters_or_capitals() -> None:
    assert found(PLAIN) == {}
    assert found([title.upper() for title in PLAIN]) == {}


def test_titles_without_words() -> None:
    assert found(["", "?", " - ", *PLAIN]) == {"no-title": [0, 1, 2]}


def test_placeholders_are_found_without_a_list_of_words() -> None:
    titles = ["tbc", "TBC", "tbc.", "sku 17", "red kettle", "red kettle", *PLAIN]
    ids = [*(f"i{row}" for row in range(3)), "SKU-17", *(f"j{row}" for row in range(len(PLAIN)))]
    assert found(titles, [*ids, "k1", "k2"])["placeholder"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("make", "verb"), [("buy now {}", "begins with 'buy now'"), ("{} | acme", "ends with 'acme'")]
)
def test_boilerplate_at_either_end(make: str, verb: str) -> None:
    titles = [make.format(title) for title in PLAIN] + ["lamp"] * 4
    catalogue = Catalogue.of_titles(ItemIds(tuple(map(str, range(29)))), titles)
    findings = [
        finding
        for finding in title_findings(catalogue, [words_of(title) for title in titles])
        if finding.kind == "boilerplate"
    ]
    assert [finding.row for finding in findings if finding.detail.startswith(verb)] == [*range(25)]


def test_a_note_among_capitals() -> None:
    titles = [title.upper() for title in PLAIN * 2] + ["Next day carriage"]
    assert found(titles) == {"odd-case": [50]}
    assert "odd-case" not in found([*(["Title Of It"] * 70), "SHOUTED"])


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=30))
def test_words_ignore_case_and_what_stands_between(text: str) -> None:
    words = words_of(text)
    assert words_of(" - ".join(words)) == words
    assert all(word and not any(c.isspace() for c in word) for word in words)


def test_words_of_other_scripts_and_numbers() -> None:
    assert words_of("Café-Crème") == words_of("CAFE creme") == ("cafe", "creme")
    assert words_of("चाय कप") != words_of("चय कप")
    assert run_together(words_of("T-Light 1.5 l")) == run_together(words_of("tlight 1,5l"))
    assert run_together(words_of("1.5 l")) != run_together(words_of("15 l"))


@settings(deadline=None, max_examples=60)
@given(st.text(string.ascii_lowercase, min_size=5, max_size=9), st.data())
def test_one_letter_apart_is_spelt_alike(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("xyz"))
    for other in (word[:at] + letter + word[at + 1 :], word[:at] + word[at + 1 :]):
        assert spelt_alike(word, other)
        assert spelt_alike(other, word)
    assert not spelt_alike(word, word + "qq")
