"""Drafts: bounded, kept in a file of their author, and bound to the rule file they began with."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from recommender.errors import DataError
from recommender.merchandising.drafts import MAX_CHANGES, Change, Draft, Drafts, require_fresh
from recommender.merchandising.rule_source import RuleSource
from tests.merchandising.rule_texts import EXAMPLE

PIN = Change("rule", "pin-b", {"pin": "b", "position": "2"}, "maria", "Spring")
HIDE = Change("hide", "c", author="maria")


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    path = tmp_path / "rules.yaml"
    path.write_text(EXAMPLE)
    return Drafts(path)


def test_a_draft_is_kept_in_a_file_of_its_author(drafts: Drafts) -> None:
    for author in ("maria", "../../jo@shop.example", "Ünal O'Neill"):
        draft = drafts.of(author).added(PIN).added(HIDE)
        drafts.save(draft)
        assert drafts.of(author) == draft
        assert drafts.of(author).digest == draft.digest
    assert len([*drafts.folder.glob("*.json")]) == 3
    assert drafts.discard("maria")
    assert not drafts.discard("maria")
    assert drafts.of("maria").changes == ()


def test_a_later_change_of_the_same_rule_or_item_counts(drafts: Drafts) -> None:
    draft = drafts.of("maria").added(PIN).added(HIDE)
    draft = draft.added(Change("withdraw", "pin-b", author="maria"))
    draft = draft.added(Change("unhide", "c", author="maria"))
    assert [str(change) for change in draft.changes] == ["withdraw rule pin-b", "unhide c"]
    assert draft.items("unhide") == ["c"]
    assert [str(one) for one in draft.without(1).changes] == ["unhide c"]
    with pytest.raises(DataError, match="there is no change 3; the draft has 2"):
        draft.without(3)


def test_rules_carry_who_wants_them_and_why(drafts: Drafts) -> None:
    draft = drafts.of("maria").added(PIN)
    document, (edit,) = draft.edited(RuleSource.read(drafts.rules).document)
    assert 'note: "Spring (maria)"' in edit.after
    assert document.rules.rules[-1].name == "pin-b"
    assert str(PIN) == "pin b to 2"


def test_a_draft_over_a_file_that_changed_is_not_applied_until_it_is_rebased(
    drafts: Drafts,
) -> None:
    drafts.save(drafts.of("maria").added(PIN))
    require_fresh(drafts.of("maria"), RuleSource.read(drafts.rules))
    drafts.rules.write_text("# a comment\n" + EXAMPLE)
    with pytest.raises(DataError, match=r"rules.yaml changed since .* recommender rules draft reb"):
        require_fresh(drafts.of("maria"), RuleSource.read(drafts.rules))
    drafts.rebase("maria")
    require_fresh(drafts.of("maria"), RuleSource.read(drafts.rules))
    assert drafts.of("maria").changes == (PIN,)


def test_a_rule_of_somebody_else_is_replaced_only_on_purpose(drafts: Drafts) -> None:
    drafts.save(drafts.of("maria").added(PIN))
    drafts.rules.write_text("rules:\n- {name: pin-b, exclude: z}\n")
    with pytest.raises(DataError, match="somebody else added a rule 'pin-b'"):
        drafts.rebase("maria")
    on_purpose = drafts.of("jo").added(replace(PIN, replaces=True))
    document, _ = on_purpose.edited(RuleSource.read(drafts.rules).document)
    assert [rule.action for rule in document.rules.rules] == ["pin"]


def test_names_are_free_in_the_file_and_in_the_draft(drafts: Drafts) -> None:
    rules = RuleSource.read(drafts.rules).document.rules
    draft = drafts.of("maria").added(PIN)
    assert draft.free_name({"pin": "b", "position": "1"}, rules) == "pin-b-2"
    assert draft.free_name({"bury": {"brand": ["A & B", "C"]}}, rules) == "bury-a-b"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "rule", "name": "x", "fields": {"pin": "b"}}, "there is no position"),
        ({"kind": "rule", "name": "x", "fields": {"exclude: b\n- name": "b"}}, "unknown key"),
        ({"kind": "hide", "name": ""}, "item id ''"),
        ({"kind": "hide", "name": "b", "author": "a\nb"}, "author 'a.nb': use 1 to 100 letters"),
        ({"kind": "hide", "name": "b", "reason": "x" * 501}, "use at most 500 letters"),
        ({"kind": "explode", "name": "b"}, "change 'explode': there are rule"),
    ],
)
def test_changes_that_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Change(**{"author": "maria", **change})  # type: ignore[arg-type]


def test_drafts_are_bounded() -> None:
    changes = tuple(Change("hide", str(number), author="m") for number in range(MAX_CHANGES))
    with pytest.raises(DataError, match=f"at most {MAX_CHANGES} changes"):
        Draft("m", "", changes).added(HIDE)


@pytest.mark.parametrize("raw", ["{", "[]", json.dumps({"author": "maria", "changes": [{}]})])
def test_a_file_that_is_no_draft_is_refused_by_name(drafts: Drafts, raw: str) -> None:
    drafts.save(drafts.of("maria").added(PIN))
    (drafts.folder / "maria.json").write_text(raw)
    with pytest.raises(DataError, match=r"maria.json is no draft .* draft discard removes it"):
        drafts.of("maria")
