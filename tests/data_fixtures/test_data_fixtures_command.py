import subprocess
import sys
from pathlib import Path

import pytest

from data_fixtures.__main__ import main
from tests.support.repository import REPOSITORY


def test_small_shop_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["small-shop", "--seed", "3", "--out", str(tmp_path)]) == 0
    names = {path.name: path for path in tmp_path.iterdir()}
    assert sorted(names) == ["catalogue.csv", "orders.csv", "truth.json", "views.csv"]
    n_items, n_lines, n_views = (
        names[name].read_text(encoding="utf-8").count("\n") - 1
        for name in ("catalogue.csv", "orders.csv", "views.csv")
    )
    assert capsys.readouterr().out == (
        f"{tmp_path}: {n_items} items, {n_lines:,} order lines, {n_views:,} views\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["big-shop"], "invalid choice: 'big-shop'"),
        (["small-shop"], "the following arguments are required: --out"),
        (["small-shop", "--seed", "-1", "--out", "x"], "must not be negative: -1"),
        (["small-shop", "--seed", "one", "--out", "x"], "'one'"),
        (["online-retail", "--out", "x"], "either PATH or --download"),
        (["online-retail", "a.csv", "--download", "http://b", "--out", "x"], "either PATH or"),
        (["online-retail", "a.csv", "--sha256", "0", "--out", "x"], "goes with --download"),
    ],
)
def test_wrong_calls_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    assert main(["small-shop", "--out", str(in_the_way)]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert str(in_the_way) in captured.err


def test_the_module_runs_as_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "data_fixtures", "online-retail", str(tmp_path / "no.csv")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stdout == ""
    assert "no.csv" in done.stderr
    assert done.stderr.count("\n") == 1
