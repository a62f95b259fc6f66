"""Completion scripts, as shells read them."""

import shutil
import subprocess

import pytest

from tests.cli.shop import said

ASK = """
source /dev/stdin
COMP_WORDS=({words}) COMP_CWORD={place}
_shtab_recommender
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(script: str, *words: str) -> list[str]:
    ask = ASK.format(words=" ".join(f"'{word}'" for word in words), place=len(words) - 1)
    command = ["bash", "--norc", "-c", ask]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_offers_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    script = said(["completion", "bash"], capsys)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert completed(script, "recommender", "rei") == ["reindex"]
    assert "related" in completed(script, "recommender", "rel")
    assert completed(script, "recommender", "related", "--whe") == ["--where"]
    assert completed(script, "recommender", "store", "sto") == ["stop"]


@pytest.mark.parametrize(("shell", "begins"), [("zsh", "#compdef recommender"), ("fish", "")])
def test_other_shells(shell: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = said(["completion", shell], capsys)
    assert script.startswith(begins)
    assert "reindex" in script
    assert "recommender" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
