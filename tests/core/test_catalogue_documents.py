from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.catalogue import MAX_CHARACTERS, Catalogue, clean, documents
from recommender.core.ids import ItemIds
from tests.support.shops import catalogue


@pytest.mark.fault(32, "S1")
@given(st.text(max_size=200))
def test_clean_text_is_plain_and_stays_so(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert clean(cleaned) == cleaned or "&" in cleaned or "<" in cleaned
    assert not any(c in cleaned for c in "\0\n\r\t\u202e\u200b")
    assert cleaned == cleaned.strip()


def test_mark_up_and_control_characters_go() -> None:
    assert clean("<b>Caf&eacute;</b>\0 \u202emug\n 12&quot;") == 'Café mug 12"'
    assert clean("pots \ud800 & pans") == "pots & pans"


@pytest.mark.fault(32, "S1")
def test_hostile_texts_cost_no_more_than_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks at more of a text than is cut off it first."""
    read: list[int] = []

    def counted(text: str) -> str:
        read.append(len(text))
        return unescape(text)

    monkeypatch.setattr("recommender.core.catalogue.html.unescape", counted)
    hostile = ["<" * 1_000_000, "&" * 1_000_000, "e\u0301" * 500_000, " \0" * 500_000]
    for text in hostile:
        assert len(clean(text)) <= MAX_CHARACTERS
    assert read == [4 * MAX_CHARACTERS] * 3


def test_document_has_each_part_once() -> None:
    ids = ItemIds(("a", "b"))
    made = Catalogue(
        ids=ids,
        title=("Acme kettle", ""),
        description=("Boils water", ""),
        brand=("ACME", ""),
        category=("Kitchen > Kettles", ""),
        group=("", ""),
        price=catalogue(2).price,
        in_stock=catalogue(2).in_stock,
        available_from=catalogue(2).available_from,
    )
    assert documents(made) == ["Acme kettle. Kitchen > Kettles. Boils water", ""]


def test_document_is_cut() -> None:
    ids = ItemIds(("a",))
    assert len(documents(Catalogue.of_titles(ids, ["word " * 100_000]))[0]) <= MAX_CHARACTERS
