"""Rule files on disk: read at one moment, and replaced whole."""

import os
from pathlib import Path

import pytest

from recommender.errors import DataError
from recommender.merchandising.rule_source import RuleSource, locked

TEXT = "\ufeffrules:\r\n- {name: one, exclude: b}\r\n"


def test_a_file_keeps_its_mark_its_permissions_and_its_link(tmp_path: Path) -> None:
    path, link = tmp_path / "rules.yaml", tmp_path / "link.yaml"
    path.write_bytes(TEXT.encode())
    path.chmod(0o640)
    link.symlink_to(path)
    source = RuleSource.read(link)
    document, _ = source.document.put({"name": "two", "exclude": "c"})
    source.with_document(document).write()
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes() == TEXT.encode() + b"- name: two\r\n  exclude: c\r\n"
    assert RuleSource.read(path).digest != source.digest


def test_a_write_that_fails_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: []\n")
    source = RuleSource.read(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"rules\.yaml cannot be written: No space"):
        source.with_document(source.document.put({"name": "a", "exclude": "b"})[0]).write()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [
        ("rules.yaml", "rules: []\n")
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "rules.yaml: No such file"),
        (b"rules: \xff", "not UTF-8, byte 7"),
        (b"rules:\n- {name: x}\n", "rules.yaml line 2: rule 'x': a rule has one of"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, raw: bytes | None, message: str) -> None:
    path = tmp_path / "rules.yaml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(DataError, match=message):
        _ = RuleSource.read(path).document


def test_a_lock_that_cannot_be_held(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be locked"), locked(tmp_path / "file" / "lock"):
        pass
