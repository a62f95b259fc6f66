"""A tiny shop for tests of commands, and how they run a command."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "00123"), ("NA", "a"), ("1e5", "b", "NA")] * 3


PLAIN_BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3


def failed(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> str:
    """Run a command that fails: its exit code, one line on stderr, nothing on stdout."""
    capsys.readouterr()
    assert run(arguments) == code
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert said.err.startswith("recommender: ")
    assert "Traceback" not in said.err
    return said.err


def related(config: Path, item: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert run(["related", item, "--config", str(config), "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that succeeds; what it says on stdout."""
    capsys.readouterr()
    assert run(arguments) == 0
    return capsys.readouterr().out
