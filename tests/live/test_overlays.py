"""What lies over a build: laws of composition, and the record as an artifact."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.artifacts.store import ArtifactStore
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import Lists
from recommender.core.neighbours import RelatedLists
from recommender.core.related import EVIDENCE
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError, DataError
from recommender.live.list_deltas import Entries, Patch, patched
from recommender.live.overlays import (
    OverlayRecord,
    Refreshed,
    changed,
    combined_catalogue,
    combined_ids,
    composed,
    live_record,
)

PLACEMENT, SHOWN, DEPTH = "related", 3, 5
TEXT, POPULAR, RULE = (EVIDENCE.index(name) for name in ("text", "popular", "rule"))

ByItem = dict[str, list[tuple[str, float, int]]]


def entries(lists: ByItem) -> Entries:
    """Entries of some lists."""
    flat = [(holder, *entry) for holder, found in lists.items() for entry in found]
    holders, items, scores, evidence = zip(*flat, strict=True) if flat else ((), (), (), ())
    return Entries(
        holders, items, np.array(scores, dtype=np.float32), np.array(evidence, dtype=np.uint8)
    )


def lists_of(ids: ItemIds, lists: ByItem) -> Lists:
    """Lists of all ids, empty where none is given."""
    flat = [entry for item in ids for entry in lists.get(item, [])]
    sizes = [len(lists.get(item, [])) for item in ids]
    return Lists(
        ids,
        RelatedLists(
            PLACEMENT,
            np.cumsum([0, *sizes]),
            ids.rows(item for item, _, _ in flat),
            np.array([score for _, score, _ in flat], dtype=np.float32),
            np.array([code for _, _, code in flat], dtype=np.uint8),
        ),
    )


def plain(lists: Lists) -> ByItem:
    """The lists by item, for comparing builds whose rows differ."""
    made: ByItem = {}
    names, columns = lists.ids.ids, lists.lists
    for row, item in enumerate(names):
        part = slice(int(columns.offsets[row]), int(columns.offsets[row + 1]))
        made[item] = [
            (names[other], round(float(score), 4), int(code))
            for other, score, code in zip(
                columns.rows[part], columns.scores[part], columns.evidence[part], strict=True
            )
        ]
    return made


def patch(own: ByItem, entering: ByItem, *, given_place: bool = False) -> Patch:
    """A patch; `entering` says by refreshed item whose lists it enters."""
    turned = [(holder, item, s, c) for item, found in entering.items() for holder, s, c in found]
    there: ByItem = {}
    for holder, item, score, code in turned:
        there.setdefault(holder, []).append((item, score, code))
    count = len(turned)
    return Patch(
        PLACEMENT,
        SHOWN,
        DEPTH,
        tuple(own),
        np.zeros(len(own), dtype=bool),
        entries(own),
        entries(there),
        np.ones(count, dtype=bool),
        np.full(count, given_place),
    )


def refreshed(made: Patch) -> Refreshed:
    items = Catalogue.of_titles(ItemIds(made.items), [f"title of {item}" for item in made.items])
    matrix = np.ones((len(made.items), 2), dtype=np.float32)
    marks = np.array([item.startswith("new") for item in made.items], dtype=bool)
    support = np.ones(len(made.items), dtype=np.float32)
    return Refreshed(items, {"text": Embeddings(matrix, support)}, marks, (made,))


def laid(base: Lists, *patches: Patch) -> ByItem:
    record = OverlayRecord("base")
    for made in patches:
        record = record.with_refreshed(refreshed(made))
    (lists,) = composed([base], record)
    return plain(lists)


IDS = ItemIds(("a", "b", "c", "d", "e", "f", "g", "h"))
SHOP = lists_of(
    IDS,
    {
        "a": [("b", 0.9, TEXT), ("c", 0.8, TEXT), ("d", 0.7, TEXT), ("e", 0.6, TEXT)],
        "b": [("a", 0.9, TEXT), ("c", 0.2, POPULAR), ("d", 0.1, POPULAR)],
        "c": [(item, 0.5, TEXT) for item in "abdef"],
    },
)


def test_a_new_item_has_its_list_and_enters_others_by_its_score() -> None:
    made = laid(
        SHOP, patch({"new": [("a", 0.9, TEXT)]}, {"new": [("a", 0.75, TEXT), ("c", 0.1, TEXT)]})
    )
    assert made["new"] == [("a", 0.9, TEXT)]
    assert [item for item, _, _ in made["a"]] == ["b", "c", "new", "d", "e"]
    assert "new" not in {item for item, _, _ in made["c"]}


def test_best_sellers_stay_behind_what_enters() -> None:
    made = laid(SHOP, patch({"new": []}, {"new": [("b", 0.05, TEXT)]}))
    assert made["b"] == [
        ("a", 0.9, TEXT),
        ("new", 0.05, TEXT),
        ("c", 0.2, POPULAR),
        ("d", 0.1, POPULAR),
    ]


def test_a_given_place_is_the_last_one_shown() -> None:
    made = laid(
        SHOP, patch({"new": []}, {"new": [("a", 0.01, TEXT), ("c", 0.95, TEXT)]}, given_place=True)
    )
    assert [item for item, _, _ in made["a"]] == ["b", "c", "new", "d", "e"]
    assert made["a"][2] == ("new", 0.7, TEXT)
    assert made["c"][0] == ("new", 0.95, TEXT)


def test_a_refreshed_item_leaves_the_lists_that_it_does_not_enter_again() -> None:
    made = laid(SHOP, patch({"d": [("a", 0.3, TEXT)]}, {"d": [("a", 0.95, TEXT)]}))
    assert [item for item, _, _ in made["a"]] == ["d", "b", "c", "e"]
    assert made["c"] == [(item, 0.5, TEXT) for item in "abef"]
    assert made["d"] == [("a", 0.3, TEXT)]


def test_at_most_a_quarter_of_a_list_is_provisional() -> None:
    names = [f"new{number}" for number in range(4)]
    made = laid(
        SHOP,
        patch({name: [] for name in names}, {name: [("a", 0.85, TEXT)] for name in names}),
    )
    assert [item for item, _, _ in made["a"]] == ["b", "new0", "c", "d", "e"]


def test_a_best_seller_that_is_refreshed_fills_lists_still_unless_it_is_sold_out() -> None:
    made = patch({"c": []}, {})
    assert laid(SHOP, made)["b"] == plain(SHOP)["b"]
    gone = replace(made, sold_out=np.ones(1, dtype=bool))
    assert laid(SHOP, gone)["b"] == [("a", 0.9, TEXT), ("d", 0.1, POPULAR)]
    enters = patch({"c": []}, {"c": [("b", 0.3, TEXT)]})
    assert laid(SHOP, enters)["b"][1:] == [("c", 0.3, TEXT), ("d", 0.1, POPULAR)]


def test_what_a_later_refresh_says_of_an_item_counts() -> None:
    first = patch(
        {"new": [("a", 0.9, TEXT)], "also": [("new", 0.4, TEXT)]}, {"new": [("a", 0.9, TEXT)]}
    )
    second = patch({"new": [("c", 0.8, TEXT)]}, {"new": [("c", 0.9, TEXT)]})
    made = laid(SHOP, first, second)
    assert made["new"] == [("c", 0.8, TEXT)]
    assert made["also"] == []
    assert made["a"] == plain(SHOP)["a"]
    assert made["c"][0][0] == "new"


def test_rules_are_applied_last_and_only_what_differs_is_laid() -> None:
    record = OverlayRecord("base").with_refreshed(
        refreshed(patch({"new": []}, {"new": [("a", 0.75, TEXT)]}))
    )

    def rule(lists: Lists) -> Lists:
        columns = lists.lists
        codes = np.where(columns.rows == lists.ids.row("new"), RULE, columns.evidence)
        return Lists(lists.ids, replace(columns, evidence=codes.astype(np.uint8)))

    (made,) = composed([SHOP], record, rule)
    assert ("new", 0.75, RULE) in plain(made)["a"]
    some = changed(SHOP, made)
    assert {made.ids.ids[row] for row in some.rows} == {"a", "new"}
    assert set(some.encoded()) == {"related:a", "related:new"}


def test_without_a_record_nothing_differs() -> None:
    (made,) = composed([SHOP], OverlayRecord("base"))
    assert not len(changed(SHOP, made).rows)


def test_ids_and_catalogue_of_a_record() -> None:
    base = Catalogue.of_titles(IDS, list(IDS))
    record = OverlayRecord("base").with_refreshed(refreshed(patch({"new": [], "c": []}, {})))
    made = combined_catalogue(base, record)
    assert made.ids == combined_ids(IDS, record) == ItemIds((*IDS, "new"))
    assert made.title[2] == "title of c"
    assert made.title[-1] == "title of new"
    assert made.title[0] == "a"
    assert record.provisional == {"new"}


def test_a_record_is_read_back(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "shop")
    own: ByItem = {"new": [("a", 0.9, TEXT)], "c": []}
    record = (
        OverlayRecord("base")
        .with_refreshed(refreshed(patch(own, {"new": [("a", 0.75, TEXT)]}, given_place=True)))
        .with_rules({"pin": [{"item": "a"}]})
    )
    written = record.write(store)
    found = OverlayRecord.read(store, written.key)
    assert (found.base, found.rules) == ("base", {"pin": [{"item": "a"}]})
    assert plain(composed([SHOP], found)[0]) == plain(composed([SHOP], record)[0])
    assert found.provisional == {"new"}
    assert found.write(store).key == written.key
    assert record.with_rules({}).write(store).key != written.key


def test_the_record_of_what_is_live(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "shop")
    full = Generation(1, "complete", 0, "", "build", 1, 1, 1)
    over = replace(full, id=2, base=1, lists_key="")
    assert live_record(store, [full]) == OverlayRecord("build")
    with pytest.raises(ArtifactError, match="without a record; recommender rollback 1"):
        live_record(store, [over, full])
    with pytest.raises(ArtifactError, match="is not there"):
        live_record(store, [replace(over, lists_key="0" * 64), full])


def test_columns_of_a_patch_are_as_long_as_each_other() -> None:
    with pytest.raises(DataError, match="differ in length"):
        Entries(("a",), (), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.uint8))


# Laws

SCORES = st.integers(1, 100).map(lambda number: number / 100)


@st.composite
def shops(draw: st.DrawFn) -> Lists:
    """A shop of lists, some of which end in best sellers."""
    lists: ByItem = {}
    for item in IDS:
        others = draw(st.permutations([other for other in IDS if other != item]))
        size = draw(st.integers(0, DEPTH))
        scores = sorted(draw(st.lists(SCORES, min_size=size, max_size=size)), reverse=True)
        own = draw(st.integers(0, size))
        lists[item] = [
            (other, score, TEXT if place < own else POPULAR)
            for place, (other, score) in enumerate(zip(others, scores, strict=False))
        ]
    return lists_of(IDS, lists)


@st.composite
def patches(draw: st.DrawFn, pool: tuple[str, ...], holders: tuple[str, ...]) -> Patch:
    """A patch that refreshes some of a pool and enters lists of holders outside of it."""
    items = draw(st.lists(st.sampled_from(pool), unique=True, min_size=1))
    own: ByItem = {}
    entering: ByItem = {}
    for item in items:
        found = draw(st.lists(st.sampled_from(holders), unique=True, max_size=DEPTH))
        scores = sorted((draw(SCORES) for _ in found), reverse=True)
        own[item] = [(other, score, TEXT) for other, score in zip(found, scores, strict=True)]
        into = draw(st.lists(st.sampled_from(holders), unique=True))
        entering[item] = [(holder, draw(SCORES), TEXT) for holder in into]
    return patch(own, entering, given_place=draw(st.booleans()))


PATCHES = patches(("new0", "new1", "a", "b"), ("c", "d", "e", "f"))


@settings(max_examples=100, deadline=None)
@given(shops(), PATCHES)
def test_no_list_holds_its_own_item_or_one_twice_or_is_too_long(shop: Lists, made: Patch) -> None:
    before = plain(shop)
    for item, found in laid(shop, made).items():
        names = [name for name, _, _ in found]
        assert item not in names
        assert len(set(names)) == len(names) <= DEPTH
        own = [score for _, score, code in found if code != POPULAR]
        assert own == sorted(own, reverse=True)
        codes = [code == POPULAR for _, _, code in found]
        assert codes == sorted(codes)
        if item not in made.items:
            entered = {name for name, _, code in found if name in made.items and code != POPULAR}
            kept = [entry for entry in before[item] if _stays(entry, made.items, entered)]
            settled = [entry for entry in found if entry[0] not in entered]
            assert settled == kept[: len(settled)]
            new = len(entered)
            assert new <= max(1, DEPTH // 4)
            assert len(settled) >= min(len(kept), DEPTH - new)


def _stays(entry: tuple[str, float, int], refreshed: Sequence[str], entered: set[str]) -> bool:
    """Whether an entry is not of a refreshed item, or of one that fills a list up still."""
    return entry[0] not in refreshed or (entry[2] == POPULAR and entry[0] not in entered)


@settings(max_examples=75, deadline=None)
@given(shops(), PATCHES)
def test_laying_the_same_twice_changes_nothing(shop: Lists, made: Patch) -> None:
    assert laid(shop, made, made) == laid(shop, made)


@settings(max_examples=75, deadline=None)
@given(shops(), PATCHES, patches(("new2", "new3", "g", "h"), ("c", "d", "e", "f")))
def test_the_order_of_refreshes_of_other_items_does_not_matter(
    shop: Lists, one: Patch, other: Patch
) -> None:
    assert laid(shop, one, other) == laid(shop, other, one)


@settings(max_examples=50, deadline=None)
@given(shops(), PATCHES)
def test_lists_that_a_patch_does_not_touch_stay(shop: Lists, made: Patch) -> None:
    before, after = plain(shop), laid(shop, made)
    named = {*made.items, *made.entering.holders}
    for item, found in before.items():
        if item not in named and not {name for name, _, _ in found} & set(made.items):
            assert after[item] == found


def test_new_ids_have_empty_lists_in_a_placement_without_a_patch() -> None:
    ids = ItemIds((*IDS, "new"))
    made = patched(SHOP, ids, None)
    assert len(made) == len(ids)
    assert made.sizes[-1] == 0
