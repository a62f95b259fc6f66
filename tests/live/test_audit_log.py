"""Lines that are only ever added."""

import json
from pathlib import Path

import pytest

from recommender.errors import DataError
from recommender.live.audit_log import AuditEntry, AuditLog


def test_entries_are_added_and_read_in_their_order(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit", "acme")
    assert list(log.entries()) == []
    first = AuditEntry("maria", "rules.apply", reason="a\nb", details={"edits": ["x"]})
    log.append(first)
    log.append(AuditEntry("jo", "promote"))
    assert [entry.who for entry in log.entries()] == ["maria", "jo"]
    assert next(log.entries()) == first
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert len(log.path.read_text().splitlines()) == 2
    assert json.loads(log.path.read_text().splitlines()[0])["at"].endswith("+00:00")


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "acme")
    log.append(AuditEntry("maria", "one"))
    with log.path.open("a") as file:
        file.write('{"who": "jo", "wh')
    log.append(AuditEntry("maria", "two"))
    assert [entry.what for entry in log.entries()] == ["one", "two"]


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"acme\.jsonl cannot be written"):
        AuditLog(tmp_path / "file", "acme").append(AuditEntry("maria", "one"))
    with pytest.raises(DataError, match="make smaller changes"):
        AuditLog(tmp_path, "acme").append(AuditEntry("maria", "x" * 5_000_000))
