"""Groups of items by text, and their names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.arrays import unit_rows
from recommender.core.telemetry import silent
from recommender.errors import ConfigError, DataError
from recommender.insights.clusters import (
    MAP_POINTS,
    SHARE,
    Clustering,
    Clusters,
    drawn_for_map,
    name_words,
    projected,
)
from recommender.vectors.content.static import HashingEncoder

THINGS = ("kettle", "lampshade", "wheelbarrow", "scarf")
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "pink", "grey")
TITLES = [f"the {colour} {thing}" for thing in THINGS for colour in COLOURS]


def embedded(titles: list[str]) -> np.ndarray:
    return HashingEncoder(256).encode(titles, silent)


def require_honest_names(clusters: Clusters, titles: list[str]) -> None:
    for group in clusters.groups:
        for word in group.words:
            inside = [word in name_words(titles[row]) for row in group.rows.tolist()]
            assert np.mean(inside) >= SHARE


def test_things_are_grouped_and_named() -> None:
    clusters = Clustering().fit(TITLES, embedded(TITLES))
    assert {group.name for group in clusters.groups} == set(THINGS)
    assert sorted(len(group.rows) for group in clusters.groups) == [8, 8, 8, 8]
    require_honest_names(clusters, TITLES)


def test_a_word_of_all_texts_names_no_group() -> None:
    clusters = Clustering(k=4).fit(TITLES, embedded(TITLES))
    assert all("the" not in group.words for group in clusters.groups)


def test_a_number_of_groups_is_kept() -> None:
    assert len(Clustering(k=7).fit(TITLES, embedded(TITLES)).groups) == 7


def test_items_without_text_are_in_no_group() -> None:
    titles = [*TITLES, "", ""]
    clusters = Clustering().fit(titles, embedded(titles))
    assert clusters.label[-2:].tolist() == [-1, -1]
    assert (clusters.label[:-2] >= 0).all()
    assert sum(len(group.rows) for group in clusters.groups) == len(TITLES)


def test_the_same_seed_gives_the_same_groups() -> None:
    first, second = (Clustering(seed=3).fit(TITLES, embedded(TITLES)) for _ in range(2))
    assert first.label.tolist() == second.label.tolist()
    assert [group.words for group in first.groups] == [group.words for group in second.groups]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["ab", "abc", "xyz", "uvw", "of", "ñandú", "<b>"]))))
def test_names_are_honest_whatever_the_titles(words: list[list[str]]) -> None:
    titles = [" ".join(each) for each in words]
    matrix = embedded(titles) if titles else np.zeros((0, 8), dtype=np.float32)
    if matrix.any(axis=1).sum() < 2:
        with pytest.raises(DataError, match="at least 2"):
            Clustering().fit(titles, matrix)
        return
    clusters = Clustering().fit(titles, matrix)
    require_honest_names(clusters, titles)
    members = np.concatenate([group.rows for group in clusters.groups])
    assert sorted(members.tolist()) == np.flatnonzero(matrix.any(axis=1)).tolist()


@pytest.mark.parametrize("k", [-1, 1])
def test_absurd_numbers_are_refused(k: int) -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        Clustering(k=k)


def test_more_groups_than_texts_are_refused() -> None:
    with pytest.raises(DataError, match="at least 99"):
        Clustering(k=99).fit(TITLES, embedded(TITLES))


def test_a_map_is_a_square_and_the_same_again() -> None:
    matrix = embedded(TITLES)
    places = projected(matrix)
    assert places.shape == (len(TITLES), 2)
    assert np.abs(places).max() <= 1.0001
    assert np.isfinite(places).all()
    assert (places == projected(matrix)).all()


@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_map_of_a_few_points(n: int) -> None:
    assert projected(unit_rows(np.eye(n, 8))).shape == (n, 2)


def test_a_large_map_shows_a_sample() -> None:
    label = np.zeros(MAP_POINTS + 10, dtype=np.int32)
    label[:5] = -1
    drawn = drawn_for_map(label)
    assert len(drawn) == MAP_POINTS
    assert drawn.min() >= 5
