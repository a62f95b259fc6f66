"""Search: words and meaning, filters, ids, groups."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError
from recommender.insights.search import (
    MAX_QUERY,
    Filters,
    Searcher,
    WordIndex,
    searcher,
    tokens,
)
from recommender.registry import text_encoder
from recommender.service import models

TITLES = (
    "Red Christmas lights",
    "Blue Christmas lights",
    "Garden rake",
    "Garden fork, small",
    "Garden fork, large",
    "",
)
HASHING = Choice("hashing", {"dimensions": 256})


@pytest.fixture(scope="module")
def made() -> Searcher:
    ids = ItemIds(("a1", "a2", "b1", "b2", "b3", "c1"))
    catalogue = replace(
        Catalogue.of_titles(ids, TITLES),
        category=("Lights", "Lights", "Garden > Tools", "Garden > Tools", "Garden > Tools", ""),
        group=("", "", "", "fork", "fork", ""),
        price=np.array([5, 7, 9, 11, np.nan, 1], dtype=np.float32),
        in_stock=np.array([False, True, True, True, True, True]),
    )
    matrix = text_encoder(HASHING).encode(TITLES, silent)
    return searcher(3, catalogue, Embeddings.of_rows(matrix, np.ones(6, np.float32)), HASHING)


def found(made: Searcher, query: str, n: int = 10, **filters: object) -> list[str]:
    return [hit.item for hit in made.find(query, n, Filters(**filters))]  # type: ignore[arg-type]


def test_the_best_fit_is_first(made: Searcher) -> None:
    assert found(made, "red christmas lights")[:2] == ["a1", "a2"]
    hits = made.find("christams lihgts", 2)
    assert {hit.item for hit in hits} == {"a1", "a2"}
    assert all(0 < hit.score <= 1 for hit in hits)
    assert hits == sorted(hits, key=lambda hit: -hit.score)


def test_filters_hold(made: Searcher) -> None:
    assert found(made, "christmas lights", in_stock=True) == ["a2"]
    assert found(made, "christmas lights", price_max=6.0) == ["a1"]
    assert found(made, "christmas lights", hidden={"a1", "gone"}) == ["a2"]
    assert set(found(made, "garden", category="garden")) == {"b1", "b2"}
    assert set(found(made, "garden", category="Garden > TOOLS")) == {"b1", "b2"}
    assert found(made, "garden", category="Gard") == []


def test_an_unknown_price_is_below_no_price(made: Searcher) -> None:
    assert "b3" not in found(made, "large garden fork", price_max=1000.0)
    assert "b3" in found(made, "large garden fork")


def test_a_group_has_one_place(made: Searcher) -> None:
    both = {"b2", "b3"}
    assert len(both & set(found(made, "garden fork"))) == 1
    assert found(made, "garden fork large")[0] == "b3"


def test_an_id_finds_its_item_unless_filtered(made: Searcher) -> None:
    assert made.find("b1", 1)[0].item == "b1"
    assert made.find("c1", 5)[0].item == "c1"
    assert "c1" not in found(made, "c1", hidden={"c1"})


@pytest.mark.parametrize("query", ["", "   ", "\x00"])
def test_a_blank_query_finds_nothing(made: Searcher, query: str) -> None:
    assert made.find(query, 5) == []


def test_what_is_too_long_or_too_few_is_refused(made: Searcher) -> None:
    with pytest.raises(ConfigError, match="201 characters"):
        made.find("x" * 201, 5)
    with pytest.raises(ConfigError, match="at least 1"):
        made.find("x", 0)
    assert MAX_QUERY == models.MAX_QUERY


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(1, 8))
def test_any_query_is_answered(made: Searcher, query: str, n: int) -> None:
    hits = made.find(query, n)
    assert len(hits) <= n
    assert len({hit.item for hit in hits}) == len(hits)
    assert all(0 < hit.score <= 1 for hit in hits)


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


def test_a_misspelt_word_means_the_most_similar(word_index: WordIndex) -> None:
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
