"""Commands, and the cases of `process_cases` in an interpreter as light as a worker's parent.

In this process other tests have loaded torch and FAISS, after which nothing may be forked.
"""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.errors import StoreUnavailable
from workers.processes import CommandFailed, run_command

CASES = Path(__file__).with_name("process_cases.py")


@pytest.mark.fault(26)
def test_a_process_for_one_piece_of_work() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CASES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a shell script stand in for the interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))


def test_a_real_command_that_fails() -> None:
    with pytest.raises(CommandFailed) as caught:
        run_command("reindex", "--config", "nowhere.toml")
    said = "exit code 3: --config: there is no settings file 'nowhere.toml'"
    assert str(caught.value) == said


def test_a_store_that_is_off(config: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1") as caught:
        run_command("reindex", "--config", str(config))
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo warning >&2; echo 'recommender: no file x' >&2; exit 4", "exit code 4: no file x"),
        ("echo only stdout; exit 5", "exit code 5: no message"),
        (r"printf 'recommender: \377held\n\n' >&2; exit 6", "exit code 6: \ufffdheld"),
        ("kill -9 $$", "reindex: ended by SIGKILL"),
        ("exec sleep 60", "reindex: killed after 0.2 s"),
    ],
)
def test_how_a_command_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(CommandFailed) as caught:
        run_command("reindex", longest_s=0.2 if "sleep" in script else 20)
    assert str(caught.value) == message


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, f'echo "$*" > {tmp_path}/given')
    run_command("reindex", "--config", "a b.toml")
    assert (tmp_path / "given").read_text() == "-m recommender.cli reindex --config a b.toml\n"


def test_a_long_message_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "printf '%09000d' 1 >&2; exit 1")
    with pytest.raises(CommandFailed) as caught:
        run_command("reindex")
    assert len(str(caught.value)) == len("exit code 1: ") + 500


def test_the_error_crosses_to_the_parent_process() -> None:
    error = pickle.loads(pickle.dumps(CommandFailed("exit code 6: held")))
    assert isinstance(error, CommandFailed)
    assert str(error) == "exit code 6: held"
