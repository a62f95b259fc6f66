"""The contents of a build: lists and what is counted of them, from the artifacts of its shards."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.store import Artifact, ArtifactStore, artifact_key
from recommender.build import contents
from recommender.build.contents import (
    bounded_columns,
    counted,
    find_build,
    health,
    list_columns,
    lists_and_own,
    lists_with_ids,
    part_of_lists,
    placements,
    read_columns,
    read_ids,
    read_lists,
    shard_of_lists,
)
from recommender.core.arrays import Columns
from recommender.core.lists import Entries
from recommender.core.recipe import Choice, Placement
from recommender.errors import ArtifactError
from recommender.ranking.chooser import Chosen, depth_before_bounding, stages_of
from tests.build.small_jobs import BASKETS, RULES, job, with_rules
from tests.support.builds import make
from tests.support.recipes import recipe
from tests.support.shop_files import orders, write_shop
from tests.support.shops import catalogue, interactions

DEPTH = 3


STAGES = stages_of(Placement("one", Choice("gated"), filters=(Choice("in-stock"),)))


def entries(rows: Sequence[Sequence[int]], depth: int = DEPTH) -> Entries:
    """Lists (b, depth) of equal scores."""
    made = Entries.padded((len(rows), depth))
    for place, listed in enumerate(rows):
        made.put_new((place, slice(len(listed))), rows=listed, scores=0.5, evidence=0)
    return made


def columns_of(
    rows: Sequence[Sequence[int]],
    own: Sequence[int],
    dropped: Sequence[Sequence[int]],
    depth: int = DEPTH,
) -> Columns:
    """A shard of lists whose first entries are their own; `dropped` by the first and last stage."""
    padded = np.zeros((len(dropped), len(STAGES)), dtype=np.int32)
    padded[:, [0, -1]] = dropped
    chosen = Chosen(entries(rows, depth), np.array(own), padded, np.ones(len(own), np.float32))
    return list_columns([chosen], depth) | {"best_sellers": np.zeros(0, np.int32)}


def stored(folder: Path, columns: Sequence[Columns], name: str = "lists") -> list[Artifact]:
    store = ArtifactStore(folder, "acme")
    return [
        store.write("lists", artifact_key(name, 1, {"shard": shard}, {}), part, {})
        for shard, part in enumerate(columns)
    ]


# Reading


def test_what_was_read_comes_back(tmp_path: Path) -> None:
    items, events = catalogue(4), interactions([[0, 1], [2]], 4)
    key = artifact_key("read", 1, {}, {})
    read = ArtifactStore(tmp_path, "acme").write("read", key, read_columns(items, events), {})
    assert contents.catalogue_of(read).title == items.title
    assert contents.interactions_of(read).item.tolist() == events.item.tolist()
    assert contents.interactions_of(read).kinds == events.kinds


def test_ids_are_read_without_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    made = job(tmp_path)
    build, _ = make(made)
    read: list[str] = []
    columns = Artifact.columns

    def seen(artifact: Artifact, *names: str) -> Columns:
        read.extend(names or artifact.column_names)
        return columns(artifact, *names)

    monkeypatch.setattr(Artifact, "columns", seen)
    assert sorted(read_ids(made.artifacts, build).ids) == ["a", "b", "c"]
    assert {name.split(".")[0] for name in read} == {"catalogue"}
    assert not any("title" in name for name in read)


def test_a_build_that_went_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is not there"):
        find_build(ArtifactStore(tmp_path, "acme"), "0" * 64)


def test_shards_are_the_parts_of_the_lists(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS, ("c", "d"), ("d", "e")))
    made = job(tmp_path, "limits.shard_items=2")
    build, _ = make(made)
    whole, own = lists_and_own(made.artifacts, build, "related")
    assert len(own) == len(whole.entries)
    seen, rows = 0, []
    for shard in range(3):
        part, held = part_of_lists(made.artifacts, build, "related", shard)
        assert len(part) == len(whole) == 5
        assert part.sizes[held.start : held.stop].tolist() == (
            whole.sizes[held.start : held.stop].tolist()
        )
        assert part.sizes.sum() == len(part.entries)
        rows += part.entries.rows.tolist()
        seen += len(held)
    assert seen == 5
    assert rows == whole.entries.rows.tolist()
    (named,) = lists_with_ids(made.artifacts, build)
    assert sorted(named.ids.ids) == ["a", "b", "c", "d", "e"]
    assert placements(build) == ["related"]


def test_a_build_is_folded_where_rules_were_applied(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    plain_job = job(tmp_path)
    plain, _ = make(plain_job)
    (tmp_path / "rules.yaml").write_text(RULES)
    ruled_job = with_rules(tmp_path, "2026-06-15")
    ruled, _ = make(ruled_job)
    assert [contents.folded(build) for build in (plain, ruled)] == [False, True]
    before = contents.chosen_list(ruled_job.artifacts, ruled, "related")
    assert before.entries.rows.tolist() == (
        read_lists(plain_job.artifacts, plain, "related").entries.rows.tolist()
    )
    after = read_lists(ruled_job.artifacts, ruled, "related")
    assert after.entries.rows.tolist() != before.entries.rows.tolist()


# Shards


def test_blocks_become_a_shard_that_says_what_short_lists_lost() -> None:
    first = Chosen(
        entries([[1, 2, 3]]),
        np.array([3]),
        np.array([[9, 9, 1, 9, 9]], np.int32),
        np.ones(1, np.float32),
    )
    lost = [[1, 2, 0, 0, 0], [3, 4, 5, 0, 0]]
    second = Chosen(
        entries([[0, 2], []]), np.array([1, 0]), np.array(lost, np.int32), np.ones(2, np.float32)
    )
    columns = list_columns([first, second], DEPTH)
    assert columns["sizes"].tolist() == [3, 2, 0]
    assert columns["rows"].tolist() == [1, 2, 3, 0, 2]
    assert columns["own"].tolist() == [3, 1, 0]
    assert columns["dropped"].tolist() == lost
    assert columns["same_title"].tolist() == [6]


def test_a_shard_begins_at_its_row_and_all_other_lists_are_empty() -> None:
    lists, rows = shard_of_lists("related", columns_of([[0], [0, 1]], [1, 2], [[0], [0]]), 2, 5)
    assert rows == range(2, 4)
    assert lists.sizes.tolist() == [0, 0, 1, 2, 0]
    assert lists.entries.rows.tolist() == [0, 0, 1]


def bounding(shown: int, hub_share: float) -> tuple[Placement, int]:
    """A placement that bounds hubs, and how deep its lists are before that."""
    placement = Placement("one", Choice("gated"), shown=shown, depth=2, hub_share=hub_share)
    return placement, depth_before_bounding(placement)


def test_hubs_are_bounded_in_all_shards_at_once() -> None:
    placement, wide = bounding(1, 0.2)
    parts = [
        columns_of([[0], [0, 1], [0, 2]], [1, 2, 2], [[0, 0]] * 3, wide),
        columns_of([[0, 3], [4]], [2, 1], [[5, 0]] * 2, wide),
    ]
    one, other = bounded_columns(parts, placement)
    assert one["rows"].tolist() == [0, 0, 1, 2, 0]
    assert one["sizes"].tolist() == one["own"].tolist() == [1, 2, 2]
    # the hub is shown in two lists of five, and follows the shown entry of the others
    assert other["rows"].tolist() == [3, 0, 4]
    assert other["own"].tolist() == [2, 1]
    assert other["scores"][0] == other["scores"][1]
    assert other["dropped"].tolist() == [[5, 0, 0, 0, 0]]


def test_without_hubs_lists_are_cut_to_their_depth() -> None:
    placement, wide = bounding(2, 1.0)
    parts = [columns_of([[1, 2, 3], [0], [1], [2]], [3, 1, 1, 1], [[0, 0]] * 4, wide)]
    (cut,) = bounded_columns(parts, placement)
    assert cut["rows"].tolist() == [1, 2, 0, 1, 2]
    assert cut["sizes"].tolist() == [2, 1, 1, 1]
    assert cut["dropped"].tolist() == [[0] * 5] * 3


# Counts


def test_counts_are_of_the_placement_that_has_the_least(tmp_path: Path) -> None:
    one = stored(tmp_path, [columns_of([[1], [0]], [1, 1], [[0, 0]] * 2)], "one")
    shards = [columns_of([[1, 2]], [2], [[0, 0]]), columns_of([[]], [0], [[0, 0]])]
    other = stored(tmp_path, shards, "other")
    measures = counted([one, other], 4, 9)
    assert measures == {
        **{"n_items": 4, "n_events": 9, "n_entries": 4, "ndcg": None},
        **{"filled_share": 0.25, "coverage": 0.5},
    }
    assert counted([], 0, 0)["filled_share"] == 1.0


def test_health_names_the_stages_that_dropped_and_how_placements_overlap(tmp_path: Path) -> None:
    filters = (Choice("in-stock"), Choice("price-band"), Choice("in-stock"))
    one = Placement("one", Choice("gated"), filters=filters, depth=DEPTH, shown=1)
    two = Placement("two", Choice("gated"), filters=filters[:1], depth=DEPTH, shown=1)
    stages = stages_of(one)
    lost = np.zeros((2, len(stages)), dtype=np.int32)
    twice = [place for place, stage in enumerate(stages) if "in-stock" in stage]
    for place in twice:
        lost[0, place] = 3
    lost[1, stages.index("same-title")] = 7
    assert len(twice) == 2
    short = Chosen(entries([[1, 2], [0]]), np.array([2, 1]), lost, np.ones(2, np.float32))
    shard = list_columns([short], DEPTH) | {"best_sellers": np.zeros(0, np.int32)}
    chosen = {
        "one": stored(tmp_path, [shard], "one"),
        "two": stored(tmp_path, [columns_of([[1, 2], [2]], [2, 1], [[0, 0]] * 2)], "two"),
    }
    found = health(chosen, chosen, recipe(placements=(one, two)))
    assert found["short"]["one"] == {"lists": 2, "by": {"in-stock": 3.0, "same-title": 3.5}}
    assert found["short"]["two"] == {"lists": 2, "by": {}}
    assert found["same_title"] == {"one": 7, "two": 0}
    assert found["overlap"] == [{"placements": ["one", "two"], "share": 0.5}]
