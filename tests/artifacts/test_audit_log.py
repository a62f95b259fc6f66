"""The audit log: one synced line a change, failed ones too, and nothing without a record."""

import json
import os
from pathlib import Path
from unittest.mock import patch

import pytest

from recommender.artifacts.audit_log import AuditLog
from recommender.errors import ArtifactError, ConfigError


def test_changes_are_appended_and_read_newest_first(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "acme" / "audit.jsonl")
    assert log.newest(5) == []
    synced: list[int] = []
    with patch("os.fsync", synced.append):
        for number in (1, 2):
            with log.change("anna\n", "rollback", {"to": number}, {"live": 3}) as made:
                made.after = {"live": number}
    assert len(synced) == 2
    newest, oldest = log.newest(5)
    assert (newest["about"], oldest["about"]) == ({"to": 2}, {"to": 1})
    assert (newest["who"], newest["before"], newest["after"]) == (
        "anna\n",
        {"live": 3},
        {"live": 2},
    )
    assert newest["failed"] == ""
    assert len(log.path.read_bytes().splitlines()) == 2
    assert log.newest(1) == [newest]


def test_a_change_that_fails_is_recorded_with_the_reason(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    with pytest.raises(ConfigError), log.change("anna", "promote", {}, {}):
        raise ConfigError("there is no canary")
    assert json.loads(log.path.read_text())["failed"] == "ConfigError: there is no canary"


def test_nothing_is_changed_that_cannot_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    change = AuditLog(tmp_path / "file" / "audit.jsonl").change("anna", "promote", {}, {})
    with pytest.raises(ArtifactError, match="cannot write"):
        change.__enter__()


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"at": "2026"}\n{"at": "20' + os.linesep.encode())
    with pytest.raises(ArtifactError, match="cut off or damaged"):
        AuditLog(path).newest(5)


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("anna", "one")
    with log.path.open("a") as file:
        file.write('{"at": "20')
    log.append("anna", "two")
    assert [entry["what"] for entry in log.entries()] == ["one", "two"]
