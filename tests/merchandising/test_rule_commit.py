"""The rule file as a commit of its own."""

import subprocess
from pathlib import Path

import pytest

from recommender.errors import DataError
from recommender.merchandising import rule_commit
from recommender.merchandising.rule_commit import commit


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@y", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_one_file_is_committed_and_what_else_is_staged_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet")
    for name in ("-rules.yaml", "staged", "changed"):
        (tmp_path / name).write_text("old\n")
    git(tmp_path, "add", "changed")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    git(tmp_path, "add", "staged")
    (tmp_path / "changed").write_text("new\n")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    authors = {"maria@shop.example": "maria <maria@shop.example>", "jo <x>": "jo x <>"}
    for author, shown in authors.items():
        (tmp_path / "-rules.yaml").write_text(author)
        made = commit(tmp_path / "-rules.yaml", author, "--amend\n\n- pin b")
        monkeypatch.delenv("GIT_DIR", raising=False)
        assert git(tmp_path, "log", "-1", "--format=%h %an <%ae>|%s") == f"{made} {shown}|--amend\n"
        assert git(tmp_path, "show", "--name-only", "--format=") == "-rules.yaml\n"
    assert git(tmp_path, "status", "--short") == " M changed\nA  staged\n"


def test_what_prevents_a_commit_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: []\n")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(DataError, match=r"git add failed: .*not a git repository"):
        commit(path, "maria", "x")
    monkeypatch.setattr(rule_commit, "TIMEOUT_S", 1e-9)
    with pytest.raises(DataError, match="git add took more than"):
        commit(path, "maria", "x")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="git is not installed"):
        commit(path, "maria", "x")
