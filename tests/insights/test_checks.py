"""Titles that say nothing, found from the catalogue itself."""

import string
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, RelatedLists
from recommender.core.related import EVIDENCE
from recommender.insights.checks import (
    KINDS,
    list_findings,
    price_findings,
    run_together,
    spelt_alike,
    title_findings,
    title_words,
    unseen,
)
from tests.support.shops import catalogue


def found(titles: list[str], ids: list[str] | None = None) -> dict[str, list[int]]:
    names = ids or [f"i{row}" for row in range(len(titles))]
    catalogue = Catalogue.of_titles(ItemIds(tuple(names)), titles)
    kinds: dict[str, list[int]] = {}
    for finding in title_findings(catalogue, [title_words(title) for title in titles]):
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
        for finding in title_findings(catalogue, [title_words(title) for title in titles])
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
    words = title_words(text)
    assert title_words(" - ".join(words)) == words
    assert all(word and not any(c.isspace() for c in word) for word in words)


def test_words_of_other_scripts_and_numbers() -> None:
    assert title_words("Café-Crème") == title_words("CAFE creme") == ("cafe", "creme")
    assert title_words("चाय कप") != title_words("चय कप")
    assert run_together(title_words("T-Light 1.5 l")) == run_together(title_words("tlight 1,5l"))
    assert run_together(title_words("1.5 l")) != run_together(title_words("15 l"))


@settings(deadline=None, max_examples=60)
@given(st.text(string.ascii_lowercase, min_size=5, max_size=9), st.data())
def test_one_letter_apart_is_spelt_alike(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("xyz"))
    for other in (word[:at] + letter + word[at + 1 :], word[:at] + word[at + 1 :]):
        assert spelt_alike(word, other)
        assert spelt_alike(other, word)
    assert not spelt_alike(word, word + "qq")


POPULAR, TEXT = EVIDENCE.index("popular"), EVIDENCE.index("text")


def test_zero_negative_and_far_off_prices() -> None:
    price = np.linspace(10, 14, 40, dtype=np.float32)
    price[[0, 1, 2, 3]] = [0, -1, 900, np.nan]
    category = ["Home > Lamps"] * 20 + ["Home > Sofas"] * 20
    price[20:] *= 80
    items = replace(catalogue(40), price=price, category=tuple(category))
    found = {finding.row: finding.detail for finding in price_findings(items, ())}
    assert sorted(found) == [0, 1, 2]
    assert "80 times" in found[2]
    assert "Lamps" in found[2]


def test_a_twin_at_ten_times_the_price() -> None:
    price = np.array([5, 60, np.nan, 7], np.float32)
    items = replace(catalogue(4), price=price)
    found = list(price_findings(items, [(0, 1), (0, 2), (0, 3)]))
    assert [(finding.row, finding.other) for finding in found] == [(1, 0)]


def lists_to(target: int, n_items: int, evidence: int) -> RelatedLists:
    """All lists hold `target`; its own holds the item behind it."""
    rows = np.full(n_items, target, np.int32)
    rows[target] = target + 1
    return RelatedLists(
        "related",
        np.arange(n_items + 1),
        Entries(rows, np.full(n_items, 0.5, np.float32), np.full(n_items, evidence, np.uint8)),
    )


def test_hubs_and_orphans() -> None:
    items = catalogue(60)
    found = list(list_findings(lists_to(7, 60, TEXT), items, 12))
    assert [finding.row for finding in found if finding.kind == "hub"] == [7]
    orphans = {finding.row for finding in found if finding.kind == "orphan"}
    assert orphans == set(range(60)) - {7, 8}
    behind = list(list_findings(lists_to(7, 60, POPULAR), items, 12))
    assert [finding for finding in behind if finding.kind == "hub"] == []


def test_what_cannot_be_bought_yet_is_not_unseen() -> None:
    items = replace(catalogue(3), available_from=np.array([0, 0, 2_000]))
    support = np.array([4, 0, 0], np.float32)
    assert [finding.row for finding in unseen(support, items, newest=1_000)] == [1]
    assert [finding.row for finding in unseen(support, items, newest=3_000)] == [1, 2]
