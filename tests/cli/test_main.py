"""The command line: usage errors, exit codes, errors in one line, help."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.cli.main import SECTIONS, run
from tests.cli.shop import BASKETS, failed, said
from tests.support.shop_files import orders, write_shop


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--debug", "reindx"], "did you mean 'reindex'"),
        (["reindx"], "did you mean 'reindex'"),
        ([], "COMMAND"),
        (["explain"], "ITEM"),
        (["related", "a", "-n", "many"], "invalid int"),
        (["reindex", "--forse"], "unrecognized arguments: --forse"),
        (["store", "begin"], "there are start, stop, url"),
    ],
)
def test_usage_errors_take_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run(arguments)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_misspelt_environment_is_told(
    live: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECOMMENDER_STOER__URL", "redis://x")
    assert "did you mean 'store'" in failed(capsys, ["status", "--config", str(live)], 3)


def test_store_that_is_off(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    off = ["--config", str(live), "--set", "store.url=redis://:S3CR3T@127.0.0.1:1/0"]
    for command in (["reindex"], ["related", "a"], ["generations"], ["rollback"], ["status"]):
        told = failed(capsys, [*command, *off], 7)
        assert "127.0.0.1:1" in told
        assert "S3CR3T" not in told


def test_common_options_may_stand_before_the_command(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ["--config", str(live), "--set", "gates.items_share_min=0.125", "--debug"]
    assert "items_share_min = 0.125" in said([*before, "config"], capsys)
    assert run([*before, "rollback", "99"]) == 3
    assert "Traceback" in capsys.readouterr().err
    assert said(["--config", str(live), "items", "show", "a"], capsys).startswith("  ")


def test_debug_shows_the_traceback(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["rollback", "99", "--config", str(live), "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


NAMES = [name for section in SECTIONS.values() for name in section]


def helped(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as left:
        run([*words, "--help"])
    assert left.value.code == 0
    return capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    shown = helped([], capsys).splitlines()
    assert max(map(len, shown)) <= 80
    assert [line.split()[0] for line in shown if re.match(r"  [a-z]", line)] == NAMES


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from recommender.cli.main import SECTIONS, run\n"
        "try:\n"
        "    run(['--help'])\n"
        "except SystemExit:\n"
        "    assert not {'numpy', 'pydantic', 'rich', 'redis', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


NESTED = [["rules", name] for name in ("check", "preview", "apply")]
NESTED += [["store", name] for name in ("start", "stop", "url")]
NESTED += [["items", name] for name in ("update", "show", "clear", "follow")]
NESTED += [["keys", name] for name in ("add", "hash", "list")]


@pytest.mark.parametrize("words", [*([name] for name in NAMES), *NESTED], ids=" ".join)
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shown = helped(words, capsys)
    assert shown.startswith(f"usage: recommender {' '.join(words)} ")
    if words not in (["rules"], ["store"], ["keys"], ["items"]):
        assert "--config FILE" in shown
        assert "--debug" in shown


@pytest.mark.fault(58)
@pytest.mark.server
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_a_stderr_that_takes_nothing_stops_no_publish(tmp_path: Path, stderr: str) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    command = f"exec {sys.executable} -m recommender.cli reindex --config {config} {stderr}"
    assert subprocess.run(["sh", "-c", command], stdout=subprocess.DEVNULL).returncode == 0
    assert run(["related", "a", "--config", str(config)]) == 0
