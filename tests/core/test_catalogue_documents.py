import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core.catalogue import (
    MAX_CHARACTERS,
    MOST_MARK_UP,
    Catalogue,
    clean,
    clean_paragraphs,
    documents,
)
from recommender.core.ids import ItemIds
from recommender.core.markup import shown_text
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


def test_styles_and_scripts_go_and_blocks_separate_words() -> None:
    text = "<style>.a{b:c}</style><ul><li>Two<li>lids</ul>H<sub>2</sub>O<script>if(a<b)c()</script>"
    assert clean(text) == "Two lids H2O"
    assert clean_paragraphs(f"{text}<p>One\n line</p><!-- no -->") == "Two\nlids\nH2O\nOne line"
    assert clean_paragraphs("one \u00ad line\r\n\n & another ") == "one line\n& another"


def test_a_long_style_does_not_cost_the_text_behind_it() -> None:
    assert clean(f"<style>{'a{b:c}' * 8_000}</style>Copper kettle") == "Copper kettle"


@pytest.mark.parametrize("text", ["a < b", "I <3 tea", "x <- y", "4 > 3 & 2 < 3", "AT&T"])
def test_signs_that_begin_no_tag_stay(text: str) -> None:
    assert clean(text) == text


def test_mark_up_may_be_escaped() -> None:
    assert clean("&lt;p&gt;Tea &amp;amp; milk&lt;/p&gt;") == "Tea & milk"


@pytest.mark.fault(32, "S1")
def test_hostile_texts_cost_no_more_than_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """No parser looks at more of a text than a page of HTML has."""
    read: list[int] = []

    def counted(text: str) -> str:
        read.append(len(text))
        return shown_text(text)

    monkeypatch.setattr("recommender.core.catalogue.shown_text", counted)
    hostile = ["<" * 1_000_000, "&" * 1_000_000, "<b><p>" * 200_000, "e\u0301" * 500_000]
    for text in hostile:
        assert len(clean(text)) <= MAX_CHARACTERS
    assert read == [MOST_MARK_UP] * 3


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
