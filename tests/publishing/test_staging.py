from itertools import chain
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core import item_id
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, RelatedLists
from recommender.core.related import EVIDENCE, RelatedItem
from recommender.errors import ConfigError
from recommender.publishing.records import Records
from recommender.publishing.staging import Staging
from recommender.serving import codec
from recommender.serving.keys import Keys
from tests.serving import builds

ids = st.text(min_size=1, max_size=20).filter(lambda text: item_id.fault(text) is None)
scores = st.floats(0, 1, exclude_min=True, width=32)
codes = st.integers(0, len(EVIDENCE) - 1)
Drawn = TypeVar("Drawn")


def exactly(count: int, drawn: st.SearchStrategy[Drawn]) -> st.SearchStrategy[list[Drawn]]:
    return st.lists(drawn, min_size=count, max_size=count)


@st.composite
def stagings(draw: st.DrawFn) -> Staging:
    """One or two placements over up to twelve items of any ids."""
    names = tuple(draw(st.lists(ids, min_size=1, max_size=12, unique=True)))
    placements = ("related", "also")[: draw(st.integers(1, 2))]
    return Staging.full(
        Keys("acme"), 3, ItemIds(names), [draw(lists(p, len(names))) for p in placements]
    )


@st.composite
def lists(draw: st.DrawFn, placement: str, count: int) -> RelatedLists:
    rows = st.lists(st.integers(0, count - 1), unique=True, max_size=count)
    chosen = [[row for row in draw(rows) if row != owner] for owner in range(count)]
    entries = sum(map(len, chosen))
    return RelatedLists(
        placement,
        np.cumsum([0, *map(len, chosen)], dtype=np.int64),
        Entries(
            np.array([*chain(*chosen)], dtype=np.int32),
            np.array(draw(exactly(entries, scores)), dtype=np.float32),
            np.array(draw(exactly(entries, codes)), dtype=np.uint8),
        ),
        np.array(draw(rows), dtype=np.int32),
    )


def values(staging: Staging, size: int) -> dict[str, bytes]:
    return {key: value for batch in staging.batches(size) for key, value in batch.items()}


@given(stagings(), st.integers(1, 5))
def test_what_is_staged_is_what_the_codec_writes(staging: Staging, size: int) -> None:
    names, placements = staging.parts[0].ids.ids, [some.lists for some in staging.parts]
    expected: dict[str, bytes] = {}
    for part in placements:
        for row, item in enumerate(names):
            entries = part.of(row)
            expected[staging.keys.related_list(3, part.placement, item)] = codec.encode_list(
                item,
                [names[other] for other in entries.rows],
                entries.scores.tolist(),
                entries.evidence.tolist(),
            )
    best = {staging.keys.related_list(3, part.placement, "") for part in placements}
    found = values(staging, size)
    assert {key: value for key, value in found.items() if key not in best} == expected
    assert best <= set(found)
    assert len(found) == staging.n_keys


@given(stagings(), st.integers(1, 5))
def test_names_are_the_keys_of_the_batches(staging: Staging, size: int) -> None:
    batches = [list(batch) for batch in staging.batches(size)]
    assert list(staging.names(size)) == batches
    assert max(map(len, batches)) <= size
    assert not list(staging.list_names(size))


@given(stagings(), st.integers(1, 20), st.integers())
def test_a_sample_is_of_the_batches(staging: Staging, size: int, seed: int) -> None:
    sample = staging.sample(size, seed)
    assert sample.items() <= values(staging, 5).items()
    assert len(sample) == min(size, staging.n_lists) + len(staging.parts)


def test_best_sellers_fall_in_score() -> None:
    staging = Staging.full(Keys("acme"), 3, builds.item_ids(9), [builds.related_lists(9, build=7)])
    raw = values(staging, 100)["rec:acme:3:related:"]
    entries = codec.decode_list(raw, codec.BEST_SELLERS).items()
    assert [entry.id for entry in entries] == [f"item-{row}" for row in range(7)]
    assert {entry.evidence for entry in entries} == {"popular"}
    found = [entry.score for entry in entries]
    assert found == sorted(set(found), reverse=True)


# Overlays

GOOD = {"a": [RelatedItem("b", 1.0, "text"), RelatedItem("c", 0.5, "rule")], "b": []}


def test_an_overlay_is_what_the_codec_writes() -> None:
    parts = [builds.some_lists(GOOD), builds.some_lists({"a": []}, placement="also")]
    overlay = Staging(Keys("acme"), 8, parts, base=7)
    assert values_of(overlay) == {
        "rec:acme:8:related:a": codec.encode_list("a", ["b", "c"], [1.0, 0.5], [0, 4]),
        "rec:acme:8:related:b": b"b\n\n\n",
        "rec:acme:8:also:a": b"a\n\n\n",
    }
    counts = (overlay.n_items, overlay.n_lists, overlay.n_keys, overlay.n_entries)
    assert counts == (2, 3, 3, 2)
    assert overlay.placements == ("related", "also")
    assert [*chain(*overlay.names(2))] == [*values_of(overlay)]
    assert [len(names) for names in overlay.list_names(2)] == [2, 1]
    assert overlay.sample(10, 0) == values_of(overlay)
    assert len(overlay.sample(2, 0)) == 2


def values_of(overlay: Staging) -> dict[str, bytes]:
    return {key: value for batch in overlay.batches(2) for key, value in batch.items()}


def test_a_placement_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="placement 'a:b'"):
        Staging.full(
            Keys("acme"), 3, builds.item_ids(9), [builds.related_lists(9, placement="a:b")]
        )


@given(stagings(), st.sampled_from([{}, {"language": "en"}]), st.integers(1, 5))
def test_records_and_a_storefront_are_staged_once(
    staging: Staging, storefront: dict[str, str], size: int
) -> None:
    ids = staging.parts[0].ids
    records = Records(Catalogue.of_titles(ids, ids.ids), storefront)
    lists = [part.lists for part in staging.parts]
    whole = Staging.full(Keys("acme"), 3, ids, lists, records)
    written = values(whole, size)
    assert len(written) == whole.n_keys == staging.n_keys + len(ids) + bool(storefront)
    assert {*chain(*whole.names(size))} == written.keys()
    assert (Keys("acme").record(3, "") in written) == bool(storefront)
    assert whole.sample(2, 1).items() <= written.items()
