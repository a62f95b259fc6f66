import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.lists import RelatedLists
from recommender.core.neighbours import Neighbours
from recommender.core.recipe import Choice, Placement
from recommender.core.related import EVIDENCE
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.ranking.chooser import Chooser, Proposals, choose_rows, prepare
from recommender.ranking.evidence import EvidenceScale
from recommender.ranking.rankers.identity import Identity
from recommender.vectors.index.exact import Exact
from tests.support.shops import catalogue, checkerboard, context, interactions

RULES = (Choice("in-stock"), Choice("one-per-group"))


def random_vectors(n_items: int, seed: int = 0) -> ItemVectors:
    rng = np.random.default_rng(seed)
    queries, targets = rng.normal(size=(2, n_items, 8)).astype(np.float32)
    bound = float(np.linalg.norm(queries, axis=1).max() * np.linalg.norm(targets, axis=1).max())
    return ItemVectors(queries, targets, bound)


def chooser(placement: Placement, items: Catalogue, vectors: ItemVectors) -> Chooser:
    events = checkerboard(len(items)) if len(items) > 9 else interactions([[0]], len(items))
    return ready(placement, items, vectors, events)


def ready(
    placement: Placement, items: Catalogue, vectors: ItemVectors, events: Interactions
) -> Chooser:
    index = Exact().build(vectors.targets)
    return prepare(placement, context(vectors, events, items), index, Identity())


def lists(chosen: Chooser, vectors: ItemVectors) -> RelatedLists:
    matrix = vectors.targets / np.linalg.norm(vectors.targets, axis=1, keepdims=True)
    origin = Embeddings(matrix, np.ones(len(matrix), dtype=np.float32))
    scale = EvidenceScale.measured(Origins({"text": origin}))
    made = choose_rows(chosen, scale, range(len(chosen.catalogue)), lambda _: None)
    return RelatedLists.of_blocks("related", (block.entries for block in made))


@settings(deadline=None, max_examples=60)
@given(
    n_items=st.integers(10, 60),
    depth=st.integers(1, 30),
    groups=st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=60, max_size=60),
    sources=st.sampled_from([("nearest",), ("co-occurrence",), ("nearest", "co-occurrence")]),
)
def test_lists_obey_the_rules_and_are_full_where_the_catalogue_allows(
    n_items: int, depth: int, groups: list[str], sources: tuple[str, ...]
) -> None:
    items = catalogue(n_items, group=tuple(groups[:n_items]))
    vectors = random_vectors(n_items)
    placement = Placement(
        "related",
        Choice("gated"),
        candidates=tuple(Choice(name) for name in sources),
        filters=RULES,
        shown=1,
        depth=depth,
    )
    made = lists(chooser(placement, items, vectors), vectors)
    for row in range(n_items):
        entries = made.entries.rows[made.offsets[row] : made.offsets[row + 1]].tolist()
        scores = made.entries.scores[made.offsets[row] : made.offsets[row + 1]]
        assert row not in entries
        assert all(entry % 5 for entry in entries)
        shown_groups = [items.group[entry] for entry in entries if items.group[entry]]
        assert len(set(shown_groups)) == len(shown_groups)
        assert items.group[row] not in shown_groups
        assert (np.diff(scores) <= 0).all()
        if "nearest" in sources:
            allowed = [other for other in range(n_items) if other != row and other % 5]
            products = {items.group[other] or other for other in allowed} - {items.group[row]}
            assert len(entries) == min(depth, len(products))


class Neighbourhood:
    """Proposes the item itself, and the item that follows it twice."""

    def propose(self, rows: Rows, k: int) -> Neighbours:
        found = np.stack([rows, rows + 1, rows + 1], axis=1)[:, :k]
        return Neighbours(found, np.full(found.shape, 0.5, dtype=np.float32))


@pytest.mark.fault(36, 37)
def test_no_item_is_a_candidate_of_its_own_or_twice() -> None:
    rows = np.arange(4, dtype=np.int32)
    found, _ = Proposals((Neighbourhood(), Neighbourhood())).of(rows, 3)
    assert found.rows.tolist() == [[1], [2], [3], [4]]


def test_short_lists_are_searched_deeper() -> None:
    n_items = 400
    group = tuple("one product" if row % 100 else "" for row in range(n_items))
    items = catalogue(n_items, group=group)
    vectors = random_vectors(n_items)
    placement = Placement("related", Choice("gated"), filters=RULES[1:], shown=1, depth=4)
    made = lists(chooser(placement, items, vectors), vectors)
    assert (made.sizes == 4).all()


def test_min_score_cuts_the_list() -> None:
    items, vectors = catalogue(30), random_vectors(30)
    low = Placement("related", Choice("gated"), shown=1, depth=10)
    high = Placement("related", Choice("gated"), shown=1, depth=10, min_score=0.2)
    everything = lists(chooser(low, items, vectors), vectors)
    cut = lists(chooser(high, items, vectors), vectors)
    own = cut.entries.evidence != EVIDENCE.index("popular")
    assert (everything.entries.scores > 0.2).sum() == own.sum()
    assert 0 < own.sum() < len(everything.entries.scores)


def test_best_sellers_stand_behind_what_is_short() -> None:
    events = interactions([[0, 1], [0, 2], [0, 3], [4, 6], [4, 7], [6, 9]], 12)
    made = catalogue(12, group=("",) * 12)
    items = dataclasses.replace(made, category=("a",) * 6 + ("b",) * 6)
    vectors = ItemVectors(np.eye(12, dtype=np.float32), np.eye(12, dtype=np.float32))
    placement = Placement(
        "related", Choice("gated"), filters=RULES, shown=1, depth=4, min_score=0.5
    )
    chosen = ready(placement, items, vectors, events)
    made_lists = lists(chosen, vectors)
    of_seven = slice(made_lists.offsets[7], made_lists.offsets[8])
    assert made_lists.entries.rows[of_seven].tolist() == [6, 9, 4, 1]
    assert set(made_lists.entries.evidence[of_seven].tolist()) == {EVIDENCE.index("popular")}
    assert made_lists.best_sellers.tolist() == []
    assert chosen.best_sellers.shop.tolist() == [4, 6, 1, 2, 3, 7, 9]


@pytest.mark.fault(36)
def test_one_item_has_an_empty_list() -> None:
    items, vectors = catalogue(1), random_vectors(1)
    placement = Placement("related", Choice("gated"), filters=RULES)
    made = lists(chooser(placement, items, vectors), vectors)
    assert made.sizes.tolist() == [0]


@pytest.mark.fault(37)
def test_identical_items_are_listed_the_same_way_each_time() -> None:
    n_items = 50
    same = np.full((n_items, 4), 0.5, dtype=np.float32)
    items, vectors = catalogue(n_items), ItemVectors(same, same)
    placement = Placement("related", Choice("gated"), shown=1, depth=10)
    made = lists(chooser(placement, items, vectors), vectors)
    again = lists(chooser(placement, items, vectors), vectors)
    assert (made.entries.rows == again.entries.rows).all()
    for row in range(n_items):
        listed = made.entries.rows[made.offsets[row] : made.offsets[row + 1]].tolist()
        assert len(listed) == len(set(listed)) == 10
        assert row not in listed
    assert (made.sizes == 10).all()
    assert made.entries.scores == pytest.approx(1)
