"""What is printed about drafts."""

import pytest

from recommender.cli.draft_reports import print_draft, print_history
from recommender.cli.terminal import console
from recommender.live.rule_log import RuleChange
from recommender.merchandising.drafts import Change, Draft

HIDE = Change("hide", "[b]x[/b]", author="maria", reason="because of " + "this " * 40)


def test_changes_are_numbered_and_reasons_wrap(capsys: pytest.CaptureFixture[str]) -> None:
    print_draft(console(), Draft("maria", "", (HIDE, HIDE)), stale=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Draft of maria: 2 changes."
    assert [line[0] for line in lines if line[:1].isdigit()] == ["1", "2"]
    assert "hide [b]x[/b]" in lines[2]
    assert max(map(len, lines)) <= 100
    assert lines[-2].startswith("The rule file changed since this draft was begun")


def test_history(capsys: pytest.CaptureFixture[str]) -> None:
    print_history(console(), [])
    assert capsys.readouterr().out == "No draft was applied yet.\n"
    past = RuleChange("1f", "2026-01-01", "maria", "", ("x" * 200,), "applied", undoes="0a")
    print_history(console(), [past])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "1f  2026-01-01  maria  applied undoes 0a"
    assert len(second) == 100
