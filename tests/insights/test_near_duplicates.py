"""Items that are one item twice, and variants that no group joins."""

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.telemetry import silent
from recommender.insights.checks import Finding, title_words
from recommender.insights.lint import near_texts
from recommender.insights.near_duplicates import DuplicatePairs
from recommender.vectors.content.static import HashingEncoder

COLOURS = ("red", "blue", "green")
THINGS = ("garden rake steel", "wool scarf winter", "kitchen lamp brass", "toy drum wooden")


def found(titles: list[str], group: list[str] | None = None) -> list[Finding]:
    catalogue = Catalogue.of_titles(ItemIds(tuple(f"i{row}" for row in range(len(titles)))), titles)
    if group is not None:
        object.__setattr__(catalogue, "group", tuple(group))
    words = [title_words(title) for title in titles]
    matrix = HashingEncoder(dimensions=256).encode(titles, silent)
    return list(DuplicatePairs.of(catalogue, words, near_texts(matrix)).findings(words))


def rows(findings: list[Finding], kind: str) -> dict[int, int]:
    return {finding.row: finding.other for finding in findings if finding.kind == kind}


def test_the_same_title_however_it_is_punctuated() -> None:
    findings = found(["T-LIGHT holder", "tlight  holder!", "lamp", "", "", "?"])
    assert rows(findings, "same-title") == {0: 1, 1: 0}
    assert rows(findings, "near-duplicate") == {}


def test_variants_by_the_words_that_the_catalogue_changes() -> None:
    titles = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
    findings = found([*titles, "oak garden table for six", "blueish wool hat"])
    assert sorted(rows(findings, "ungrouped-variant")) == [*range(len(titles))]
    assert rows(findings, "ungrouped-variant")[1] == 0
    details = {finding.detail for finding in findings if finding.kind == "ungrouped-variant"}
    assert details == {"one of 3, by red, blue, green"}


def test_a_group_of_the_shop_is_believed() -> None:
    titles = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS] * 2
    group = [f"g{row % len(titles) // len(COLOURS)}" for row in range(len(titles))]
    assert found(titles, group) == []


def test_nearly_the_same() -> None:
    titles = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
    titles += ["brass hanging lantern large", "large hanging lantern brass", "perfume bottle glass"]
    findings = found([*titles, "perfum bottle glass"])
    near = rows(findings, "near-duplicate")
    assert near == {12: 13, 13: 12, 14: 15, 15: 14}
    assert "another order" in next(f.detail for f in findings if f.row == 12)
    assert "spelt" in next(f.detail for f in findings if f.row == 14)


def test_texts_above_the_exact_search_find_their_twins() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20_500, 16)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix[100:200] = matrix[:100]
    near = near_texts(matrix)
    assert (near.rows[:100, 0] == np.arange(100, 200)).all()
    assert not (near.rows == np.arange(20_500)[:, None]).any()
