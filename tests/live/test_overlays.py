"""Overlays of a build: the composition of lists, and the record as an artifact."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.store import ArtifactStore
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import NamedLists
from recommender.errors import ArtifactError
from recommender.live.overlays import (
    OverlayRecord,
    changed,
    combined_catalogue,
    composed,
    live_record,
)
from tests.live.deltas import IDS, RULE, SHOP, TEXT, ByItem, delta, plain, refreshed


def test_rules_are_applied_last_and_only_what_differs_is_laid() -> None:
    record = OverlayRecord("base").with_refreshed(
        refreshed(delta({"new": []}, {"new": [("a", 0.75, TEXT)]}))
    )

    def rule(lists: NamedLists) -> NamedLists:
        columns = lists.lists
        old = columns.entries
        codes = np.where(old.rows == lists.ids.row("new"), RULE, old.evidence).astype(np.uint8)
        return NamedLists(lists.ids, replace(columns, entries=replace(old, evidence=codes)))

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
    record = OverlayRecord("base").with_refreshed(refreshed(delta({"new": [], "c": []}, {})))
    made = combined_catalogue(base, record)
    assert made.ids == ItemIds((*IDS, "new"))
    assert made.title[2] == "title of c"
    assert made.title[-1] == "title of new"
    assert made.title[0] == "a"
    assert record.provisional == {"new"}


def test_a_record_is_read_back(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "shop")
    own: ByItem = {"new": [("a", 0.9, TEXT)], "c": []}
    record = (
        OverlayRecord("base")
        .with_refreshed(refreshed(delta(own, {"new": [("a", 0.75, TEXT)]}, given_place=True)))
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
