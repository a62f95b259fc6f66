import pickle
import sys
from pathlib import Path

import pytest

from recommender.errors import StoreUnavailable
from workers import command
from workers.command import CommandFailed


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a shell script stand in for the interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))


def test_a_real_command_that_fails() -> None:
    with pytest.raises(CommandFailed, match=r"exit code 3: .*nowhere\.toml") as caught:
        command.run("reindex", "--config", "nowhere.toml")
    assert caught.value.code == 3
    assert caught.value.message == "--config: there is no settings file 'nowhere.toml'"


def test_a_store_that_is_off(config: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1") as caught:
        command.run("reindex", "--config", str(config))
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("echo warning >&2; echo 'recommender: no file x' >&2; exit 4", 4, "no file x"),
        ("echo only stdout; exit 5", 5, "no message"),
        (r"printf 'recommender: \377held\n\n' >&2; exit 6", 6, "\N{REPLACEMENT CHARACTER}held"),
        ("kill -9 $$", -9, "ended by SIGKILL"),
        ("exec sleep 60", -9, "killed after 0.2 s"),
    ],
)
def test_how_a_command_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: int, message: str
) -> None:
    stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(CommandFailed) as caught:
        command.run("reindex", longest_s=0.2 if "sleep" in script else 20)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, f'echo "$*" > {tmp_path}/given')
    command.run("reindex", "--config", "a b.toml")
    assert (tmp_path / "given").read_text() == "-m recommender.cli reindex --config a b.toml\n"


def test_a_long_message_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "printf '%09000d' 1 >&2; exit 1")
    with pytest.raises(CommandFailed) as caught:
        command.run("reindex")
    assert len(caught.value.message) == 500


def test_the_error_crosses_to_the_parent_process() -> None:
    error = pickle.loads(pickle.dumps(CommandFailed(6, "held")))
    assert isinstance(error, CommandFailed)
    assert (error.code, error.message, str(error)) == (6, "held", "exit code 6: held")
