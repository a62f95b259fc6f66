"""Damaged artifacts: a plain reindex makes them again, and what each error tells to do works."""

import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.cli.shop import BASKETS, failed, related, said
from tests.support.shop_files import orders, write_shop

pytestmark = pytest.mark.server


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[random.Random(7).randrange(len(content) - 1)] ^= 4
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


HARMS: dict[str, Callable[[Path], None]] = {
    "flip": flip,
    "cut": cut,
    "empty": empty,
    "delete": Path.unlink,
}


def artifacts(config: Path) -> Path:
    return config.parent / ".recommender" / "artifacts" / "acme"


def files(config: Path) -> dict[Path, bytes]:
    """All files of artifacts but text plans, of which every run that encodes writes another."""
    found = artifacts(config).glob("*/*/*")
    kept = (path for path in found if path.parts[-3] not in {"ledgers", "text-plan"})
    return {path: path.read_bytes() for path in kept}


def shards(paths: Iterable[Path]) -> set[Path]:
    """The files of text shards, which are made again once their texts are needed."""
    return {path for path in paths if path.parts[-3] == "text-shard"}


@pytest.mark.fault(17, 18)
@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("pattern", ["*.npy", "manifest.json"])
def test_a_plain_reindex_makes_again_what_is_damaged(
    live: Path, where: list[str], harm: str, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file of each step in turn, then one of every step at once."""
    before, answer = files(live), related(live, "a", capsys)["items"]
    by_step = {path.parts[-3]: path for path in sorted(before) if path.match(pattern)}
    steps = [*by_step] if harm == "flip" else ["lists", "read", "build"]
    for harmed in [*([step] for step in steps if step in by_step), list(by_step)]:
        for step in harmed:
            if by_step[step].exists():  # a text shard that was discarded is not needed again
                HARMS[harm](by_step[step])
        shown = said(["reindex", *where], capsys)
        assert "Nothing changed" not in shown, harmed
        now = files(live)
        assert {path for path in before if now.get(path) != before[path]} <= shards(before)
        assert related(live, "a", capsys)["items"] == answer
        assert "Nothing is damaged" in said(["verify", *where], capsys)
    assert "Nothing changed" in said(["reindex", *where], capsys)


def test_verify_reports_what_is_damaged_and_removes_it_when_told(
    live: Path, where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = next(artifacts(live).glob("lists/*/rows.npy"))
    flip(rows)
    assert "run recommender verify --repair" in failed_of(["verify", *where], capsys)
    assert rows.exists()
    assert "1 fault removed" in said(["verify", "--repair", *where], capsys)
    assert not rows.parent.exists()
    assert "Nothing changed" not in said(["reindex", *where], capsys)
    assert rows.exists()


def failed_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(arguments) == 5
    return capsys.readouterr().err


def test_a_missing_part_of_the_live_build_is_made_again(
    live: Path, where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`... is not there: it was removed ...; run recommender reindex`."""
    shutil.rmtree(artifacts(live) / "vectors")
    error = failed(capsys, ["explain", "a", "b", *where], 5)
    assert "run recommender reindex" in error
    said(["reindex", *where], capsys)
    said(["explain", "a", "b", *where], capsys)


@pytest.mark.fault(62)
def test_a_removal_that_was_cut_off_is_finished_by_the_next_write(
    live: Path, where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    next(artifacts(live).glob("lists/*/manifest.json")).unlink()
    said(["reindex", *where], capsys)
    assert "Nothing is damaged" in said(["verify", *where], capsys)


@pytest.mark.fault(64)
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_record_of_the_live_run_is_replaced(
    live: Path, where: list[str], harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = (artifacts(live) / "runs").iterdir()
    HARMS[harm](record)
    if harm in {"flip", "cut"}:  # what the error of another command tells
        assert "verify --repair" in failed_of(["gc", *where], capsys)
        said(["verify", "--repair", *where], capsys)
    assert "Nothing changed" not in said(["reindex", *where], capsys)
    said(["gc", *where], capsys)
    assert "Nothing changed" in said(["reindex", *where], capsys)


def test_a_damaged_ledger_is_never_removed_but_what_its_error_tells_works(
    live: Path, where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (entry,) = (artifacts(live) / "ledgers").glob("*/*.json")
    flip(entry)
    error = failed(capsys, ["reindex", "--force", *where], 5)
    folder = str(entry.parent.relative_to(artifacts(live).parent))
    assert f"remove the folder {folder} and run again" in error
    assert "ledgers are not repaired" in failed_of(["verify", "--repair", *where], capsys)
    assert entry.exists()
    shutil.rmtree(entry.parent)
    said(["reindex", "--force", *where], capsys)


def test_with_another_key_nothing_is_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    where = ["--config", str(config)]
    variable = "RECOMMENDER_ARTIFACTS__SIGNING_KEY"
    monkeypatch.setenv(variable, "one-key-of-16-bytes")
    said(["reindex", *where], capsys)
    before = files(config)
    monkeypatch.setenv(variable, "another-key-of-16-bytes")
    assert "artifacts.signing_key" in failed_of(["reindex", *where], capsys)
    error = failed_of(["verify", "--repair", *where], capsys)
    assert "set artifacts.signing_key to that of the writer" in error
    assert files(config) == before
    monkeypatch.setenv(variable, "one-key-of-16-bytes")
    assert "Nothing changed" in said(["reindex", *where], capsys)
    monkeypatch.setenv(variable, "another-key-of-16-bytes")
    shutil.rmtree(artifacts(config))  # the other remedy
    said(["reindex", *where], capsys)
