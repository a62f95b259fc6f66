"""What a draft would change."""

from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.insights.draft_preview import DraftPreview, preview_draft
from recommender.merchandising.draft_changes import Wanted
from recommender.merchandising.rule_set import Selection
from recommender.merchandising.rule_source import RuleSource
from recommender.publishing.publisher import Publisher
from tests.support.steered_shop import RULES, SteeredShop


@pytest.fixture
def shop(tmp_path: Path, publisher: Publisher) -> SteeredShop:
    return SteeredShop.begun(tmp_path, publisher)


def previewed(shop: SteeredShop, *items: str) -> DraftPreview:
    source = RuleSource.read(shop.steering.rules)
    return preview_draft(shop.live(), shop.steering.drafts.of("maria"), source, items=items)


def test_a_draft_shows_its_lists_its_conflicts_and_what_falls_short(shop: SteeredShop) -> None:
    shop.draft(Wanted("exclude", ["b", "c", "d", "e"]))
    shop.draft(Wanted("pin", ["f"], lists_of=Selection(items=("a",))))
    shop.draft(Wanted("withdraw", ["first"]))
    found = previewed(shop, "a")
    lists = {str(effect.change): effect.n_lists for effect in found.effects}
    assert lists["exclude b, c and 2 more"] == 6
    assert lists["pin f to 1 in lists of a"] == 1
    assert [one.rule for one in found.short] == ["exclude-b"]
    (listed,) = found.lists.lists
    assert [entry.item for entry in listed.after] == ["f"]
    assert "b" in [entry.item for entry in listed.before]
    assert (found.stale, found.errors) == (False, ())


def test_a_conflict_with_a_rule_of_the_file_is_found_and_others_are_left_out(
    shop: SteeredShop,
) -> None:
    shop.steering.rules.write_text(RULES + "  - {name: old, exclude: b, until: 2020-01-01}\n")
    shop.draft(Wanted("pin", ["f"], lists_of=Selection(items=("a",))))
    found = previewed(shop)
    assert [(one.rule, one.other) for one in found.conflicts] == [("pin-f", "first")]
    assert [one.kind for one in found.findings] == ["conflict"]
    assert {"old", "pin-f"} <= {one.rule for one in found.check.findings}


def test_hidden_items_and_unknown_names(shop: SteeredShop) -> None:
    shop.draft(Wanted("hide", ["b"]))
    shop.draft(Wanted("exclude", ["zz"]))
    found = previewed(shop, "a")
    assert found.effects[0].n_lists > 0
    assert "b" not in [entry.item for entry in found.lists.lists[0].after]
    assert [one.kind for one in found.errors] == ["unknown"]
    with pytest.raises(ConfigError, match="item 'zz' is not in the live lists"):
        previewed(shop, "zz")


def test_a_draft_over_a_file_that_changed_is_stale(shop: SteeredShop) -> None:
    shop.draft(Wanted("hide", ["b"]))
    shop.steering.rules.write_text(RULES + "# later\n")
    assert previewed(shop).stale
