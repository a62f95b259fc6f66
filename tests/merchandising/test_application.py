"""Rule application: rules over the items, sales and filters of a build."""

from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.store import ArtifactStore, artifact_key
from recommender.core.lists import NamedLists, RelatedLists
from recommender.core.recipe import Choice
from recommender.merchandising import application as rules_applied
from recommender.merchandising.application import (
    RuleApplication,
    rules_in_force,
    rules_of,
    snapshot,
    today_of,
)
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet, Selection
from tests.merchandising.rule_sets import application, goods, listed, placement
from tests.support.shops import interactions

N, DEPTH = 12, 3
EXCLUDE = RuleSet((MerchandisingRule("no-three", "exclude", Selection(("i003",))),))


def lists_of(rows: list[list[int]], best_sellers: tuple[int, ...] = ()) -> RelatedLists:
    """The lists of all items; those after the ones given are empty."""
    entries = listed(rows + [[]] * (N - len(rows)), DEPTH)
    return RelatedLists.of_blocks("related", [entries], np.array(best_sellers, dtype=np.int32))


def plain(lists: RelatedLists) -> list[list[int]]:
    bounds = zip(lists.offsets, lists.offsets[1:], strict=False)
    return [lists.entries.rows[start:end].tolist() for start, end in bounds]


def test_the_lists_of_a_placement_and_its_best_sellers_after_the_rules() -> None:
    made = application("- {name: a, exclude: i003}", goods(N)).applied(
        placement(DEPTH), lists_of([[3, 4], [5, 6]], (3, 0))
    )
    assert plain(made.lists)[:2] == [[4, 8], [5, 6]]
    assert made.lists.best_sellers.tolist() == [0]
    assert made.acted.tolist() == [[0, 0]]
    assert made.barred.tolist() == made.displaced.tolist() == []


def test_items_that_came_after_the_build_were_never_sold_and_fill_nothing_up() -> None:
    made = RuleApplication.of(EXCLUDE, goods(N), interactions([[1, 2], [1]], 4))
    assert made.sold.tolist() == [0, 2, 1, *[0] * (N - 3)]
    after = made.applied(placement(DEPTH), lists_of([[3, 4]])).lists
    assert plain(after)[0] == [4, 1]
    assert made.interactions.n_items == N


def test_fillers_pass_the_filters_of_the_recipe_but_those_by_similarity() -> None:
    items = goods(N)
    text = "- {name: a, exclude: i003}"
    same = placement(DEPTH, "same-brand")
    assert plain(application(text, items).applied(same, lists_of([[3]])).lists)[0] == [6]
    near = replace(same, filters=(*same.filters, Choice("not-alike")))
    assert plain(application(text, items).applied(near, lists_of([[3]])).lists)[0] == [6]


def test_rules_for_other_placements_and_for_nothing_do_not_reach_a_merchandiser() -> None:
    text = (
        "- {name: a, exclude: i003, placement: other}\n- {name: b, exclude: unknown}\n"
        "- {name: c, exclude: i004}"
    )
    made = application(text, goods(N))
    assert [matched.number for matched in made.matched] == [0, 1, 2]
    assert [one.rule.name for one in made.merchandiser(placement(DEPTH)).rules] == ["c"]


def test_without_rules_nothing_is_rewritten() -> None:
    build = RuleApplication.of(RuleSet(), goods(N), interactions([], N))
    assert build.rewrite({"related": placement(DEPTH)}) is None


def test_lists_are_rewritten_by_the_rules_of_their_own_placement() -> None:
    both = {"related": placement(DEPTH), "other": replace(placement(DEPTH), name="other")}
    rewrite = application("- {name: a, exclude: i003, placement: other}", goods(N)).rewrite(both)
    assert rewrite is not None
    ids = goods(N).ids
    one = NamedLists(ids, lists_of([[3, 4]]))
    other = NamedLists(ids, replace(lists_of([[3, 4]]), placement="other"))
    assert [plain(rewrite(each).lists)[0] for each in (one, other)] == [[3, 4], [4, 8]]


def test_a_snapshot_brings_its_rules_back_and_is_never_empty() -> None:
    assert rules_of(snapshot(EXCLUDE)) == EXCLUDE
    assert snapshot(EXCLUDE)["digest"] == EXCLUDE.digest
    assert snapshot(RuleSet())
    assert rules_of({}) == rules_of(snapshot(RuleSet())) == RuleSet()


def test_rules_laid_over_a_build_take_the_place_of_its_own(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "acme")
    plain_build = store.write("build", artifact_key("build", 1, {}, {}), {}, {})
    summary = {"merchandising": snapshot(EXCLUDE)}
    build = store.write("build", artifact_key("build", 2, {}, {}), {}, summary)
    assert rules_in_force(plain_build, {}) == RuleSet()
    assert rules_in_force(build, {}) == EXCLUDE
    assert rules_in_force(build, snapshot(RuleSet())) == RuleSet()
    assert rules_in_force(plain_build, snapshot(EXCLUDE)) == EXCLUDE


def test_today_is_the_day_in_the_time_zone_of_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Clock":
            return cls(2026, 6, 1, 23, 30, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(rules_applied, "datetime", Clock)
    assert today_of(RuleSet()) == date(2026, 6, 1)
    assert today_of(RuleSet(time_zone="Europe/Berlin")) == date(2026, 6, 2)
    assert today_of(RuleSet(time_zone="Europe/Berlin"), date(2025, 1, 1)) == date(2025, 1, 1)
