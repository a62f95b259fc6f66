"""The changes of rules among the lines of an audit log."""

from pathlib import Path

from recommender.artifacts.audit_log import AuditLog
from recommender.live.rule_log import APPLY, RuleLine, RuleLog


def test_lines_of_rules_are_read_as_they_were_written(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    rules = RuleLog(log)
    assert list(rules.lines()) == []
    line = RuleLine("maria", APPLY, "begun", "a\nb", "1f", "2e", {"edits": ["x"]})
    rules.append(line)
    log.append("jo", "promote")
    (read,) = rules.lines()
    assert read == RuleLine(
        "maria", APPLY, "begun", "a\nb", "1f", "2e", {"edits": ["x"]}, line.id, read.at
    )
    assert [entry["who"] for entry in log.newest(9)] == ["jo", "maria"]
