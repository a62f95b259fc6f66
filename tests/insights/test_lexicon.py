"""Words of documents: BM25, forms of a word, misspelt words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.insights.lexicon import Lexicon, words_of

DOCUMENTS = [
    "RED CHRISTMAS LIGHTS",
    "Christmas tree, small",
    "Garden light",
    "Café crème 1000g",
    "",
]


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    made = Lexicon.of(DOCUMENTS)
    assert made is not None
    return made


def best(lexicon: Lexicon, query: str) -> str:
    return DOCUMENTS[int(np.argmax(lexicon.score(query)))]


def test_the_document_with_all_words_is_best(lexicon: Lexicon) -> None:
    assert best(lexicon, "christmas lights") == DOCUMENTS[0]
    assert best(lexicon, "TREE christmas") == DOCUMENTS[1]


def test_accents_and_case_do_not_count(lexicon: Lexicon) -> None:
    assert words_of("Café CRÈME straße") == ["cafe", "creme", "strasse"]
    assert best(lexicon, "cafe creme") == DOCUMENTS[3]


def test_a_form_counts_less_than_the_word(lexicon: Lexicon) -> None:
    assert lexicon.meant("light") == {"light": 1.0, "lights": 0.8}
    assert lexicon.meant("lights") == {"lights": 1.0, "light": 0.8}


def test_a_misspelt_word_means_the_likest(lexicon: Lexicon) -> None:
    assert list(lexicon.meant("christams")) == ["christmas"]
    assert best(lexicon, "christams lihgts") == DOCUMENTS[0]
    assert lexicon.understood("Red christams tree") == "red christmas tree"


def test_nonsense_means_nothing(lexicon: Lexicon) -> None:
    assert lexicon.meant("qqq") == {}
    assert lexicon.meant("zz") == {}
    assert not lexicon.score("qqq 9999 !").any()
    assert lexicon.understood("qqq !") == "qqq"


def test_documents_without_words_make_none() -> None:
    assert Lexicon.of(["", "..."]) is None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_query_is_scored(lexicon: Lexicon, query: str) -> None:
    scored = lexicon.score(query)
    assert scored.shape == (len(DOCUMENTS),)
    assert np.isfinite(scored).all()
    assert (scored >= 0).all()
    assert scored[-1] == 0
