"""Words of documents: BM25, forms of a word, misspelt words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.insights.word_index import WordIndex, tokens

DOCUMENTS = [
    "RED CHRISTMAS LIGHTS",
    "Christmas tree, small",
    "Garden light",
    "Café crème 1000g",
    "",
]


@pytest.fixture(scope="module")
def word_index() -> WordIndex:
    made = WordIndex.of(DOCUMENTS)
    assert made is not None
    return made


def best(word_index: WordIndex, query: str) -> str:
    return DOCUMENTS[int(np.argmax(word_index.score(query)))]


def test_the_document_with_all_words_is_best(word_index: WordIndex) -> None:
    assert best(word_index, "christmas lights") == DOCUMENTS[0]
    assert best(word_index, "TREE christmas") == DOCUMENTS[1]


def test_accents_and_case_do_not_count(word_index: WordIndex) -> None:
    assert tokens("Café CRÈME straße") == ["cafe", "creme", "strasse"]
    assert best(word_index, "cafe creme") == DOCUMENTS[3]


def test_a_form_counts_less_than_the_word(word_index: WordIndex) -> None:
    assert word_index.meant("light") == {"light": 1.0, "lights": 0.8}
    assert word_index.meant("lights") == {"lights": 1.0, "light": 0.8}


def test_a_misspelt_word_means_the_likest(word_index: WordIndex) -> None:
    assert list(word_index.meant("christams")) == ["christmas"]
    assert best(word_index, "christams lihgts") == DOCUMENTS[0]
    assert word_index.understood("Red christams tree") == "red christmas tree"


def test_nonsense_means_nothing(word_index: WordIndex) -> None:
    assert word_index.meant("qqq") == {}
    assert word_index.meant("zz") == {}
    assert not word_index.score("qqq 9999 !").any()
    assert word_index.understood("qqq !") == "qqq"


def test_documents_without_words_make_none() -> None:
    assert WordIndex.of(["", "..."]) is None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_query_is_scored(word_index: WordIndex, query: str) -> None:
    scored = word_index.score(query)
    assert scored.shape == (len(DOCUMENTS),)
    assert np.isfinite(scored).all()
    assert (scored >= 0).all()
    assert scored[-1] == 0
