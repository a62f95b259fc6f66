"""Findings about a rule set that need no live lists."""

from datetime import date

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.live.rules import Check, check_names
from recommender.merchandising.rule_file import parsed

CATALOGUE = Catalogue.of_titles(ItemIds(("a", "b", "c")), ("Lamp", "Rake", "Bowl"))
TODAY = date(2026, 6, 1)


def checked(text: str) -> Check:
    rules, faults = parsed(f"rules:\n{text}")
    return check_names(rules, faults, TODAY, CATALOGUE, ["related"])


def kinds(found: Check) -> list[tuple[str, str, str]]:
    return [(one.level, one.kind, one.rule) for one in found.findings]


def test_known_names_are_no_finding() -> None:
    found = checked(
        "- name: one\n  exclude: b\n- name: two\n  pin: c\n  position: 1\n  lists_of: a\n"
    )
    assert (found.findings, found.placements) == ((), ())
    assert [report.season for report in found.rules] == ["valid", "valid"]
    assert [report.n_lists for report in found.rules] == [0, 0]


def test_unknown_names_are_errors_with_a_suggestion() -> None:
    found = checked("- name: one\n  exclude: z\n- name: two\n  exclude: b\n  placement: relatd\n")
    assert kinds(found) == [("error", "unknown", "one"), ("error", "unknown", "two")]
    assert "there is no item 'z'" in found.errors[0].message
    assert "did you mean 'related'?" in found.errors[1].message


def test_names_of_an_expired_rule_are_not_checked_but_those_of_a_later_one_are() -> None:
    found = checked(
        "- name: old\n  exclude: z\n  until: 2026-05-01\n"
        "- name: soon\n  exclude: y\n  from: 2026-07-01\n"
    )
    assert kinds(found) == [
        ("error", "unknown", "soon"),
        ("warning", "expired", "old"),
        ("warning", "not yet valid", "soon"),
    ]


def test_a_malformed_rule_is_an_error_and_has_no_report() -> None:
    found = checked("- name: odd\n  explode: b\n- name: one\n  exclude: b\n")
    assert {(one.level, one.kind) for one in found.findings} == {("error", "malformed")}
    assert [report.rule.name for report in found.rules] == ["one"]


def test_unknown_names_in_the_terms_of_bundles_are_errors() -> None:
    terms = "bundles: { discount: 5%, categories: { Gardn: 10% }, placement: relatd }\n"
    rules, faults = parsed(f"rules:\n{terms}")
    found = check_names(rules, faults, TODAY, CATALOGUE, ["related"])
    assert kinds(found) == [("error", "unknown", "bundles")] * 2
    assert {finding.line for finding in found.findings} == {2}
    assert "'Gardn'" in found.errors[0].message
    assert "did you mean 'related'?" in found.errors[1].message
