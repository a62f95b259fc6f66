"""What a rule file says, and what is told of one that is wrong."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.errors import DataError
from recommender.merchandising.rule_file import parsed, read_rules, required_rules
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet, Selection
from tests.support.repository import CONFIG

EXAMPLE = CONFIG / "examples" / "rules.yaml"


def one(text: str) -> MerchandisingRule:
    rules, faults = parsed(f"rules:\n  - name: one\n{text}")
    assert not faults, faults
    (rule,) = rules.rules
    return rule


def fault(text: str) -> str:
    rules, faults = parsed(f"rules:\n  - name: one\n{text}")
    assert not rules.rules
    (found,) = faults
    return str(found)


def test_the_example_uses_every_action() -> None:
    rules = required_rules(EXAMPLE)
    assert {rule.action for rule in rules.rules} == {"pin", "boost", "bury", "exclude", "replace"}
    assert rules.time_zone == "Europe/London"


def test_values_are_read_as_they_are_written() -> None:
    rule = one("    exclude: { item: [007, 1e3, 0x1F], brand: [No, 'Yes'], category: A>B }")
    assert rule.what == Selection(("007", "1e3", "0x1F"), ("No", "Yes"), ("A > B",))
    assert one("    exclude: 12_0").what.items == ("12_0",)


def test_all_of_a_rule() -> None:
    rule = one(
        "    pin: a\n    position: 3\n    lists_of: { brand: B }\n    placement: [x, y]\n"
        "    from: 2026-01-01\n    until: 2026-01-31\n    note: because"
    )
    assert rule == MerchandisingRule(
        "one",
        "pin",
        Selection(items=("a",)),
        lists_of=Selection(brands=("B",)),
        placements=("x", "y"),
        first=date(2026, 1, 1),
        last=date(2026, 1, 31),
        position=3,
    )
    assert rule.line == 2


def test_pairs() -> None:
    assert one("    exclude: { pair: [a, b] }").pairs == (("a", "b"),)
    assert one("    exclude: { pair: [[a, b], [b, a]] }").pairs == (("a", "b"), ("b", "a"))
    assert not one("    exclude: { pair: [a, b] }").in_every_list
    assert one("    exclude: a").in_every_list


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "    pin: a\n    positon: 1",
            "line 4: rule 'one': unknown key 'positon'; did you mean",
        ),
        ("    pin: a\n    position: 0", "line 4: rule 'one': position '0' is no whole number"),
        ("    pin: a\n    position: 2.0", "position '2.0' is no whole number from 1 to 1000"),
        ("    pin: a", "line 2: rule 'one': there is no position"),
        ("    pin: [a, b]\n    position: 1", "a pin moves one item"),
        ("    pin: a\n    position: 1\n    by: 2", "by belongs to boost, this rule is of pin"),
        ("    boost: a\n    by: 1", "by '1' is no number above 1 and at most 1000"),
        ("    boost: a\n    by: nan", "by 'nan' is no number"),
        ("    boost: a", "there is no by"),
        ("    exclude: a\n    bury: b\n    by: 2", "this has bury and exclude"),
        ("    note: a", "a rule has one of pin, boost, bury, exclude, replace; this has none"),
        ("    exclude:", "there is no value"),
        ("    exclude: []", "the list is empty"),
        ("    exclude: {}", "select something"),
        ("    exclude: { brnd: a }", "unknown key 'brnd'; did you mean 'brand'?"),
        ("    exclude: { pair: [a] }", "write a pair as [OWNER, ITEM]"),
        ("    exclude: { pair: [a, a] }", "two different items"),
        ("    exclude: { pair: [a, b], brand: c }", "a pair stands alone"),
        ("    exclude: { pair: [a, b] }\n    lists_of: c", "leave lists_of out"),
        ("    exclude: a\n    lists_of: { pair: [a, b] }", "pairs belong to the action"),
        ("    exclude: a\n    exclude: b", "exclude stands twice"),
        ("    replace: { brand: b }\n    with: a", "replace takes items by their ids"),
        ("    replace: a\n    with: a", "'a' is to take its own place"),
        ("    exclude: a\n    from: 01.03.2026", "from '01.03.2026' is no day"),
        ("    exclude: a\n    from: 20260301", "from '20260301' is no day"),
        ("    exclude: a\n    until: 2026-02-30", "until 2026-02-30: there is no such day"),
        ("    exclude: a\n    from: 2026-02-02\n    until: 2026-02-01", "lies before from"),
        (f"    exclude: {'a' * 129}", "longer than 128 bytes"),
        ("    exclude: &x a", "aliases (& and *) are not read"),
        ("    exclude: 'a", "no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    assert told in fault(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: the file is empty"),
        ("rules: 3", "line 1: rules is no list"),
        ("rule: []", "unknown key 'rule'; did you mean 'rules'?"),
        ("time_zone: UTC", "there is no `rules:`"),
        ("time_zone: Mars/Base\nrules: []", "line 1: time_zone 'Mars/Base' is unknown"),
        ("- a\n- b", "a rule file is a table"),
        ("rules: []\n---\nrules: []", "no YAML"),
        ("rules: !!python/object:os.system []\n", "rules is no list"),
    ],
)
def test_what_is_wrong_with_a_file(text: str, told: str) -> None:
    rules, faults = parsed(text)
    if told != "rules is no list" or faults:
        assert told in str(faults[0])
    assert not rules.rules


def test_good_rules_stay_beside_bad_ones() -> None:
    rules, faults = parsed(
        "rules:\n- name: a\n  exclude: x\n- name: a\n  exclude: y\n- exclude: z\n- name: b\n"
        "  exclude: w\n- 3\n"
    )
    assert [rule.name for rule in rules.rules] == ["a", "b"]
    told = [str(found) for found in faults]
    assert told[0] == "line 4: rule 'a': line 2 has this name already"
    assert told[1] == "line 6: there is no name"
    assert told[2].startswith("line 9: a rule is a table")


def test_an_empty_list_of_rules_is_a_rule_set() -> None:
    assert parsed("rules: []") == (RuleSet(), ())
    assert parsed("rules:") == (RuleSet(), ())


def test_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml: No such file"):
        read_rules(tmp_path / "none.yaml")
    path = tmp_path / "rules.yaml"
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="not UTF-8, byte 0"):
        read_rules(path)
    path.write_text("rules:\n- exclude: a\n- exclude: b\n")
    with pytest.raises(DataError, match=r"line 2: there is no name \(and 1 more\)"):
        required_rules(path)


@pytest.mark.parametrize(
    ("day", "season"),
    [
        ("2026-01-31", "not yet valid"),
        ("2026-02-01", "valid"),
        ("2026-02-28", "valid"),
        ("2026-03-01", "expired"),
    ],
)
def test_both_days_are_included(day: str, season: str) -> None:
    rule = one("    exclude: a\n    from: 2026-02-01\n    until: 2026-02-28")
    assert rule.season(date.fromisoformat(day)) == season


def test_a_digest_covers_what_the_rules_do_and_not_their_lines_or_days() -> None:
    today = date(2026, 2, 2)

    def digest(text: str) -> str:
        return parsed(f"rules:\n{text}")[0].on(today).digest

    plain = digest("- name: a\n  exclude: x")
    assert digest("\n# why\n- name: a\n  note: told\n  exclude: x\n  until: 2027-01-01") == plain
    assert digest("- name: a\n  exclude: y") != plain
    assert digest("- name: a\n  exclude: x\n  until: 2026-01-01") == ""


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    for given_text in (text, f"rules:\n  - name: {text}\n    exclude: {text}"):
        rules, faults = parsed(given_text)
        assert rules.rules or faults or not rules.rules


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    names = st.text(min_size=1, max_size=5)
    some = st.lists(names, max_size=3).map(tuple)
    selections = st.builds(Selection, some, some, some)
    rules = st.builds(
        MerchandisingRule,
        names,
        st.sampled_from(["pin", "boost", "exclude"]),
        selections,
        st.lists(st.tuples(names, names), max_size=3).map(tuple),
        selections,
        some,
        position=st.integers(0, 9),
        by=st.floats(1, 9),
        substitute=names,
    )
    return RuleSet(tuple(draw(st.lists(rules, max_size=4))))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule_sets())
def test_a_rule_set_and_its_json_are_the_same(rules: RuleSet) -> None:
    assert RuleSet.from_plain(rules.plain()) == rules
