"""What is printed about rules."""

import pytest

from recommender.cli.rule_reports import FINDINGS_SHOWN, print_findings, print_list
from recommender.cli.terminal import console
from recommender.insights.diff import ChangedList, Entry
from recommender.live.rules import RuleFinding


def test_only_the_first_findings_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    finding = RuleFinding("error", "unknown", 7, "[red]", "there is no item 'x'")
    print_findings(console(), [finding] * (FINDINGS_SHOWN + 2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "    7  error    [red]  there is no item 'x'"
    assert lines[-1] == "       and 2 more; --json has all"
    print_findings(console(), [])
    assert capsys.readouterr().out == ""


def test_a_list_marks_what_is_new_what_goes_and_what_a_rule_moved(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = Entry("a", "Lamp", "text", stays=True), Entry("b", "Rake", "text")
    after = Entry("c", "", "rule"), Entry("a", "Lamp", "rule", stays=True)
    print_list(console(), ChangedList("x", "Desk", before, after, ("launch",)), 12)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["x  Desk", "1 of 12 are new; rules: launch"]
    assert [line.split() for line in lines[4:]] == [
        ["1", "Lamp", "+", "c"],
        ["2", "-", "Rake", "*", "Lamp"],
    ]
