"""Rule sets: seasons, digests, JSON and the values of a rule."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.merchandising import rule_set
from recommender.merchandising.rule_file import parsed
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet, Selection


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
    rule = MerchandisingRule("one", "exclude", first=date(2026, 2, 1), last=date(2026, 2, 28))
    assert rule.season(date.fromisoformat(day)) == season


def test_a_digest_covers_what_the_rules_do_and_not_their_lines_or_days() -> None:
    today = date(2026, 2, 2)

    def digest(text: str) -> str:
        return parsed(f"rules:\n{text}")[0].on(today).digest

    plain = digest("- name: a\n  exclude: x")
    assert digest("\n# why\n- name: a\n  note: told\n  exclude: x\n  until: 2027-01-01") == plain
    assert digest("- name: a\n  exclude: y") != plain
    assert digest("- name: a\n  exclude: x\n  until: 2026-01-01") == ""


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


@pytest.mark.parametrize(
    ("first", "last", "seasons"),
    [
        (date(2026, 2, 2), None, ["not yet valid", "valid", "valid"]),
        (None, date(2026, 2, 2), ["valid", "valid", "expired"]),
        (None, None, ["valid"] * 3),
    ],
)
def test_a_rule_without_a_day_has_no_end_on_that_side(
    first: date | None, last: date | None, seasons: list[str]
) -> None:
    rule = MerchandisingRule("one", "exclude", first=first, last=last)
    assert [rule.season(date(2026, 2, day)) for day in (1, 2, 3)] == seasons


def test_the_rules_of_a_day_keep_their_order_and_lose_their_dates() -> None:
    later = MerchandisingRule("later", "exclude", first=date(2026, 3, 1))
    always = MerchandisingRule("always", "exclude")
    ending = MerchandisingRule("ending", "bury", last=date(2026, 2, 2))
    found = RuleSet((later, ending, always)).on(date(2026, 2, 2))
    assert [rule.name for rule in found.rules] == ["ending", "always"]
    assert {(rule.first, rule.last) for rule in found.rules} == {(None, None)}


def test_the_order_of_rules_is_part_of_their_digest() -> None:
    one, other = MerchandisingRule("one", "exclude"), MerchandisingRule("other", "exclude")
    assert RuleSet((one, other)).digest != RuleSet((other, one)).digest


def test_a_rule_without_placements_is_for_all() -> None:
    everywhere = MerchandisingRule("one", "exclude")
    somewhere = MerchandisingRule("one", "exclude", placements=("related", "also"))
    assert [rule.meant_for("also") for rule in (everywhere, somewhere)] == [True, True]
    assert [rule.meant_for("other") for rule in (everywhere, somewhere)] == [True, False]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (MerchandisingRule("a", "pin", Selection(("x",)), position=2), "pin x to 2"),
        (
            MerchandisingRule("a", "boost", Selection(brands=("B", "C", "D", "E")), by=1.5),
            "boost brand B, C and 2 more by 1.5",
        ),
        (
            MerchandisingRule("a", "bury", Selection(("x",), (), ("Garden",)), by=2),
            "bury x and category Garden by 2",
        ),
        (MerchandisingRule("a", "replace", Selection(("x",)), substitute="y"), "replace x with y"),
        (
            MerchandisingRule("a", "exclude", pairs=(("a", "b"), ("c", "d"), ("e", "f"))),
            "exclude b in the list of a, d in the list of c and 1 more",
        ),
    ],
)
def test_a_rule_in_words(rule: MerchandisingRule, text: str) -> None:
    assert str(rule) == text


def test_a_selection_of_everything_means_all_lists() -> None:
    assert str(Selection()) == "all lists"
    assert Selection().everything
    assert not Selection(categories=("Garden",)).everything


# Values


@pytest.mark.parametrize("text", ["0", "1001", "-1", "1.0", "+1", " 1", "1_0", ""])
def test_a_position_is_a_whole_number(text: str) -> None:
    with pytest.raises(ValueError, match="is no whole number from 1 to 1000"):
        rule_set.position(text)


def test_the_largest_and_smallest_positions_are_read() -> None:
    assert [rule_set.position(text) for text in ("1", "1000", "007")] == [1, 1000, 7]


@pytest.mark.parametrize("text", ["1", "0.5", "-2", "1000.1", "nan", "inf", "much", ""])
def test_a_factor_is_above_one_and_bounded(text: str) -> None:
    with pytest.raises(ValueError, match="is no number above 1 and at most 1000"):
        rule_set.factor(text)


def test_the_largest_factor_is_read() -> None:
    assert [rule_set.factor(text) for text in ("1.01", "1e3")] == [1.01, 1000.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-1-1", "write it as 2026-12-24"),
        ("20260101", "write it as 2026-12-24"),
        ("2026-02-30", "until 2026-02-30: there is no such day"),
    ],
)
def test_a_day_is_written_in_one_way(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule_set.day("until", text)


def test_a_name_is_used_once_and_is_not_too_long() -> None:
    assert rule_set.rule_name({"other": 3}, "n" * 100) == "n" * 100
    with pytest.raises(ValueError, match="more than 100 characters"):
        rule_set.rule_name({}, "n" * 101)
    with pytest.raises(ValueError, match="line 3 has this name already"):
        rule_set.rule_name({"other": 3}, "other")


def test_the_spaces_of_a_category_path_are_those_of_a_catalogue() -> None:
    assert {rule_set.category(text) for text in ("A>B", " A  >B ", "A > B")} == {"A > B"}


@pytest.mark.parametrize("text", ["Mars/Base", "", "../etc/passwd"])
def test_an_unknown_time_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is unknown; write it as Europe/Berlin"):
        rule_set.time_zone(text)
