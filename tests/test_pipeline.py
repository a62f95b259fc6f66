"""The line as a library: what is reused, what is refused."""

import json
from dataclasses import asdict, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from recommender.artifacts.runs import Run
from recommender.build.contents import chosen_lists, read_ids, related_lists
from recommender.build.job import Job, pinned, resumed
from recommender.errors import DataError
from recommender.settings.loading import load
from tests.support.builds import make
from tests.support.shop_files import orders, write_shop, write_small_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c")]


def job(folder: Path, *assignments: str) -> Job:
    return load(folder / "recommender.toml", assignments).job()


def stages(made: Job) -> dict[str, bool]:
    return {cost.stage: cost.reused for cost in made.stopwatch.costs}


def test_a_stage_runs_again_only_when_what_it_depends_on_changes(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    first = job(tmp_path)
    build, lists = make(first)
    assert not any(stages(first).values())
    again = job(tmp_path)
    assert make(again)[0].key == build.key
    assert stages(again).pop("check inputs") is False
    assert sum(stages(again).values()) == len(stages(again)) - 1
    other_text = job(tmp_path, "recipe.content.text.dimensions=32")
    assert make(other_text)[0].key != build.key
    assert stages(other_text)["read"]
    assert stages(other_text)["fit co-occurrence-svd"]
    assert not stages(other_text)["embed text"]
    assert not stages(other_text)["fuse gated"]
    assert len(lists()[0]) == 3


def test_new_orders_of_known_items_do_not_encode_again(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    make(job(tmp_path))
    (tmp_path / "orders.csv").write_text(orders(*BASKETS, ("a", "c")))
    later = job(tmp_path)
    make(later)
    assert not stages(later)["read"]
    assert stages(later)["embed text"]
    assert not stages(later)["fit co-occurrence-svd"]


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    write_shop(tmp_path / "one", orders(*BASKETS))
    write_shop(tmp_path / "two", orders(*BASKETS))
    key = "state.user_key=0123456789abcdef"
    for folder in ("one", "two"):
        make(job(tmp_path / folder, key))
    one, two = (
        {
            path.relative_to(tmp_path / folder): path.read_bytes()
            for path in (tmp_path / folder / ".recommender" / "artifacts").rglob("*")
            if path.is_file()
        }
        for folder in ("one", "two")
    )
    assert one == two
    assert len(one) > 20


def test_the_customers_key_is_part_of_the_key_of_reading(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    one, _ = make(job(tmp_path, "state.user_key=0123456789abcdef"))
    two, _ = make(job(tmp_path, "state.user_key=fedcba9876543210"))
    assert one.key != two.key
    assert "0123456789abcdef" not in str(one.summary)


def test_a_file_replaced_between_two_looks_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    monkeypatch.setattr(
        "recommender.build.job.input_digests", lambda _: {"interactions.0.0": "earlier"}
    )
    with pytest.raises(DataError, match="was replaced while it was read"):
        make(job(tmp_path))


def test_each_fusion_is_fused_once(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    placements = (
        "recipe.placements=[{name='one', fusion='gated'}, {name='two', fusion='gated'},"
        " {name='three', fusion='concatenation'}]"
    )
    made = job(tmp_path, placements)
    _, lists = make(made)
    assert [part.placement for part in lists()] == ["one", "two", "three"]
    names = [cost.stage for cost in made.stopwatch.costs if not cost.reused]
    assert names.count("fuse gated") == 1
    assert names.count("fuse concatenation") == 1


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


RULES = """
rules:
- {name: no-b, exclude: b, until: 2026-06-30}
- {name: first-c, pin: c, position: 1, from: 2026-06-01}
"""


def with_rules(folder: Path, day: str, *assignments: str) -> Job:
    made = job(folder, "merchandising.rules=rules.yaml", *assignments)
    return replace(made, today=date.fromisoformat(day))


def lists_by_item(made: Job) -> dict[str, list[str]]:
    build, lists = make(made)
    ids, (related,) = read_ids(made.artifacts, build).ids, lists()
    names = [ids[row] for row in related.entries.rows.tolist()]
    bounds = pairwise(related.offsets.tolist())
    return {item: names[start:end] for item, (start, end) in zip(ids, bounds, strict=True)}


def test_rules_are_those_of_the_day_on_which_a_run_begins(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS, ("c", "d")))
    (tmp_path / "rules.yaml").write_text(RULES)
    spring = lists_by_item(with_rules(tmp_path, "2026-05-31"))
    assert not any("b" in rows for rows in spring.values())
    june = lists_by_item(with_rules(tmp_path, "2026-06-15"))
    assert not any("b" in rows for rows in june.values())
    assert june["a"][0] == "c"
    summer = lists_by_item(with_rules(tmp_path, "2026-07-01"))
    assert "b" in summer["a"]
    assert summer["a"][0] == "c"
    assert lists_by_item(job(tmp_path))["a"] != summer["a"]


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


def test_who_goes_on_with_a_run_applies_the_rules_of_its_first_day(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    (tmp_path / "rules.yaml").write_text(RULES)
    begun = pinned(with_rules(tmp_path, "2026-05-01"))
    assert begun.pins is not None
    run = Run("acme", 1, "running", {}, json.loads(json.dumps(asdict(begun.pins))))
    worker = resumed(job(tmp_path, "merchandising.rules=rules.yaml"), run)
    assert make(worker)[0].key == make(begun)[0].key
