"""Rule files that are edited entry by entry, and edits that are taken back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import DataError
from recommender.merchandising.rule_entry import RuleFields, rule_of
from recommender.merchandising.rule_file import parsed
from recommender.merchandising.rule_set import RuleSet
from recommender.merchandising.rule_text import Edit, RuleText
from tests.merchandising.rule_texts import WRITTEN, fields, names

ONE = {"name": "new", "note": "Spring", "exclude": "007"}


def computed(rules: RuleSet, change: RuleFields | str) -> RuleSet:
    """The rules after a change, without the text of a file."""
    if isinstance(change, str):
        return replace(rules, rules=tuple(one for one in rules.rules if one.name != change))
    rule = rule_of(change)
    if any(one.name == rule.name for one in rules.rules):
        kept = (rule if one.name == rule.name else one for one in rules.rules)
        return replace(rules, rules=tuple(kept))
    return replace(rules, rules=(*rules.rules, rule))


@pytest.mark.parametrize("written", WRITTEN)
@settings(max_examples=25)
@given(changes=st.lists(fields() | names, min_size=1, max_size=5))
def test_edits_make_the_rules_that_they_should_and_are_taken_back_to_the_byte(
    written: str, changes: list[RuleFields | str]
) -> None:
    before = document = RuleText.of(WRITTEN[written])
    rules, edits = document.rules, list[Edit]()
    for change in changes:
        try:
            wanted = computed(rules, change)
        except DataError:
            continue
        if isinstance(change, str) and wanted == rules:
            continue
        document, edit = (
            document.withdraw(change) if isinstance(change, str) else document.put(change)
        )
        rules = wanted
        edits.append(Edit.from_plain(edit.plain()))
        assert parsed(document.text) == (rules, ())
    after = document
    redo = []
    for edit in reversed(edits):
        document, back = document.taken_back(edit)
        redo.append(back)
    assert document.text == before.text
    for back in reversed(redo):
        document, _ = document.taken_back(back)
    assert document.rules == after.rules


@pytest.mark.parametrize("written", WRITTEN)
def test_all_lines_of_other_entries_stay_as_they_are(written: str) -> None:
    document, _ = RuleText.of(WRITTEN[written]).put(ONE)
    lines = iter(document.text.splitlines())
    kept = WRITTEN[written] if written not in {"empty", "null", "brackets"} else ""
    assert [line for line in kept.splitlines() if line not in lines] == []


def test_an_entry_is_written_as_the_others_are() -> None:
    document, _ = RuleText.of("rules:\n- name: a\n  exclude: b\n\n- name: c\n  exclude: b\n").put(
        ONE
    )
    assert document.text.endswith('\n\n- name: new\n  note: Spring\n  exclude: "007"\n')
    document, _ = RuleText.of("rules: []   # none yet\n").put(ONE)
    assert document.text == (
        'rules:    # none yet\n  - name: new\n    note: Spring\n    exclude: "007"\n'
    )


def test_an_edit_is_taken_back_although_others_came_later() -> None:
    first, edit = RuleText.of(WRITTEN["empty"]).put(ONE)
    second, later = first.put({"name": "other", "exclude": "b"})
    alone, _ = second.taken_back(edit)
    assert [rule.name for rule in alone.rules.rules] == ["other"]
    assert alone.text == "rules:    # none yet\n\n  - name: other\n    exclude: b\n"
    again, _ = alone.taken_back(later)
    assert again.rules.rules == ()


def test_an_entry_that_was_withdrawn_comes_back_to_its_place() -> None:
    document = RuleText.of(WRITTEN["example"])
    without, edit = document.withdraw("old-hoses-last")
    other, _ = without.put(ONE)
    back, _ = other.taken_back(edit)
    assert back.text == document.put(ONE)[0].text
    gone, _ = without.withdraw("moretti-month")
    last, _ = gone.taken_back(edit)
    assert last.rules.rules[-1].name == "old-hoses-last"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('exclude: "007"', 'exclude: "008"', "rule 'new' was edited by hand since"),
        ("name: new", "name: newer", "there is no rule 'new' in the file"),
        ("Spring", "Autumn", "rule 'new' was edited by hand since"),
    ],
)
def test_an_entry_that_was_edited_by_hand_is_left_alone(old: str, new: str, message: str) -> None:
    document, edit = RuleText.of(WRITTEN["example"]).put(ONE)
    with pytest.raises(DataError, match=message):
        RuleText.of(document.text.replace(old, new)).taken_back(edit)


def test_a_name_that_was_given_again_is_left_alone() -> None:
    document, edit = RuleText.of(WRITTEN["tight"]).withdraw("one")
    again, _ = document.put({"name": "one", "exclude": "z"})
    with pytest.raises(DataError, match="rule 'one' is in the file again"):
        again.taken_back(edit)


def test_an_edit_that_would_change_other_entries_is_refused() -> None:
    _, edit = RuleText.of(WRITTEN["example"]).withdraw("successor")
    indented_otherwise = RuleText.of("rules:\n- name: a\n  exclude: b\n")
    with pytest.raises(DataError, match="'successor' cannot be added without a change of other"):
        indented_otherwise.taken_back(edit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("? rules\n: - name: a\n    exclude: b\n", "a rule does not begin with `- ` on a line"),
        ("rules: [{name: a, exclude: b}]\n", "the rules are written in brackets"),
        ("{rules: []}\n", "the file is written in braces"),
        ("rules:\n- name: a\n", "line 2: rule 'a': a rule has one of"),
    ],
)
def test_files_that_are_not_edited(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RuleText.of(text).put(ONE)
