"""The steps to lists: learned rankers, rules and shards."""

from dataclasses import replace
from pathlib import Path

import pytest

from recommender.build.contents import chosen_lists, related_lists
from recommender.build.job import Job, pinned
from recommender.build.steps import complete
from recommender.errors import ArtifactError, DataError
from recommender.pipeline import plan
from recommender.ranking import hubness
from tests.build.small_jobs import BASKETS, RULES, job, lists_by_item, stages, with_rules
from tests.support.builds import make
from tests.support.shop_files import orders, write_shop, write_small_shop

LEARNED = (
    "recipe.placements=[{name='related', fusion='gated', ranker='learned', depth=5, shown=2,"
    " candidates=['nearest', 'co-occurrence', 'text-back-off', 'best-sellers']}]"
)


def bytes_of_lists(made: Job) -> bytes:
    _, lists = make(made)
    return b"".join(column.tobytes() for column in lists()[0].entries.columns().values())


def test_what_a_ranker_learned_is_an_artifact_of_its_own(tmp_path: Path) -> None:
    write_small_shop(tmp_path)
    first = job(tmp_path, LEARNED)
    ranked = bytes_of_lists(first)
    assert stages(first)["learn to rank related"] is False
    again = job(tmp_path, LEARNED)
    assert bytes_of_lists(again) == ranked
    assert "learn to rank related" not in stages(again)
    deeper = job(tmp_path, LEARNED, "recipe.placements.0.ranker={use='learned', leaves=3}")
    make(deeper)
    assert stages(deeper)["fuse gated"] is True
    assert stages(deeper)["find near content"] is True
    assert stages(deeper)["learn to rank related"] is False
    by_vectors = job(tmp_path, LEARNED, "recipe.placements.0.ranker='identity'")
    assert bytes_of_lists(by_vectors) != ranked
    assert "learn to rank related" not in stages(by_vectors)


def test_a_build_changes_only_when_other_rules_become_valid(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    plain, _ = make(job(tmp_path))
    (tmp_path / "rules.yaml").write_text(RULES)
    first, _ = make(with_rules(tmp_path, "2026-05-01"))
    again = with_rules(tmp_path, "2026-05-02")
    assert make(again)[0].key == first.key != plain.key
    assert stages(again)["build"]
    later = with_rules(tmp_path, "2026-06-01")
    assert make(later)[0].key != first.key
    assert stages(later)["search and choose related"]
    assert not stages(later)["apply rules related"]
    (tmp_path / "rules.yaml").write_text("rules: []")
    assert make(with_rules(tmp_path, "2026-05-01"))[0].key == plain.key


def test_shards_make_the_lists_that_one_process_makes(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS, ("c", "d"), ("d", "e"), ("e", "a")))
    (tmp_path / "rules.yaml").write_text(RULES)
    whole = lists_by_item(with_rules(tmp_path, "2026-06-15"))
    parts = with_rules(tmp_path, "2026-06-15", "limits.shard_items=2")
    assert lists_by_item(parts) == whole
    build, _ = make(parts)
    before = chosen_lists(parts.artifacts, build)[0]
    after = related_lists(parts.artifacts, build)[0]
    assert before.entries.rows.tolist() != after.entries.rows.tolist()


def test_rules_that_are_replaced_during_a_run_are_noticed(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    (tmp_path / "rules.yaml").write_text(RULES)
    begun = pinned(with_rules(tmp_path, "2026-06-15"))
    (tmp_path / "rules.yaml").write_text(RULES.replace("exclude: b", "exclude: c"))
    with pytest.raises(DataError, match=r"rules\.yaml was replaced since the run began"):
        make(begun)


HUBS = "recipe.placements.0.hub_share=0.2"
FIRST = "recipe.placements.0.shown=1"


def test_hubs_are_bounded_alike_whatever_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubness, "FAIR", 0)
    write_shop(tmp_path, orders(*BASKETS, ("c", "d"), ("d", "e"), ("e", "a")))
    free = lists_by_item(job(tmp_path, FIRST))
    whole = lists_by_item(job(tmp_path, FIRST, HUBS))
    assert lists_by_item(job(tmp_path, FIRST, HUBS, "limits.shard_items=2")) == whole
    (placement,) = job(tmp_path, FIRST, HUBS).recipe.placements
    shown, most = placement.shown, hubness.most_lists(placement, len(whole))
    for item in whole:
        assert sum(item in rows[:shown] for rows in whole.values()) <= most
    assert max(sum(item in rows[:shown] for rows in free.values()) for item in free) > most


def test_a_machine_without_the_rules_of_a_run_says_so(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    (tmp_path / "rules.yaml").write_text(RULES)
    begun = pinned(with_rules(tmp_path, "2026-06-15"))
    with pytest.raises(ArtifactError, match="the rules of this run are not set on this machine"):
        make(replace(begun, rule_file=None))


def test_unknown_names_of_rules_are_counted_in_the_report(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    (tmp_path / "rules.yaml").write_text("rules: [{name: x, exclude: {item: [a, y, z]}}]")
    build, _ = make(job(tmp_path, "merchandising.rules=rules.yaml"))
    assert build.summary["report"]["merchandising"] == {"rules": 1, "unknown": 2}


def test_before_the_files_are_read_a_plan_ends_in_reading(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    made = pinned(job(tmp_path))
    first = plan(made)
    assert first.build is None
    assert first.goal is first.read
    assert not first.makes(first.goal.key)
    complete(first.goal, made.stopwatch)
    second = plan(made)
    assert second.goal is second.build
    assert second.makes(second.goal.key)


def test_a_plan_that_made_another_build_has_no_placement_of_it(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    made = pinned(job(tmp_path))
    make(made)
    whole = plan(made)
    assert whole.placement(whole.goal.key, "related").name == "related"
    with pytest.raises(ArtifactError, match="the build cannot be retraced"):
        whole.placement("0" * 64, "related")


def test_what_a_build_is_made_of_is_there_without_texts_and_their_plans(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    made = pinned(job(tmp_path))
    make(made)
    parts = plan(made).artifacts()
    assert {folder for folder, _ in parts} == {
        *("read", "text", "interactions", "vectors", "index", "lists", "build")
    }
    assert all(made.artifacts.find(folder, key) for folder, key in parts)
