"""The commands that change what is served: hide, unhide, canaries."""

from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.cli.test_commands import BASKETS, failed
from tests.support.shop_files import orders, write_shop


@pytest.fixture
def live(tmp_path: Path) -> list[str]:
    """Arguments of a tiny shop of its own, with one generation live."""
    where = ["--config", str(write_shop(tmp_path, orders(*BASKETS)))]
    assert run(["reindex", *where]) == 0
    return where


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that succeeds; what it says on stdout."""
    capsys.readouterr()
    assert run(arguments) == 0
    return capsys.readouterr().out


def test_hide_and_unhide(live: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["hide", "a", "b", "a", *live], capsys)
    assert text == "2 hidden, 0 unchanged; 2 items of shop acme are hidden.\n"
    assert said(["hide", "a", "c", *live], capsys).startswith("1 hidden, 1 unchanged; 3 items")
    text = said(["unhide", "a", "zzz", *live], capsys)
    assert text == "1 shown again, 1 unchanged; 2 items of shop acme are hidden.\n"


def test_hide_a_file(live: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_bytes("\ufeffa\r\n\r\nü x \n00123".encode())
    assert said(["hide", "NA", "--file", str(listed), *live], capsys).startswith("4 hidden")
    assert said(["unhide", "ü x ", *live], capsys).startswith("1 shown again")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a\nb\0\n", "line 2: item id 'b\\x00': a control character"), (b"a\n\xff", "UTF-8, byte 2")],
)
def test_a_file_that_is_none_hides_nothing(
    live: list[str],
    tmp_path: Path,
    content: bytes,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_bytes(content)
    assert reason in failed(capsys, ["hide", "--file", str(listed), *live], 4)
    assert "0 items" in said(["unhide", "a", *live], capsys)


def test_what_cannot_be_hidden_is_told(
    live: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in ("hide", "unhide"):
        assert "no item: name some" in failed(capsys, [action, *live], 3)
        assert "item id 'a\\t': a control" in failed(capsys, [action, "a\t", *live], 4)
    nowhere = str(tmp_path / "nowhere.txt")
    assert "nowhere.txt: No such file" in failed(capsys, ["hide", "--file", nowhere, *live], 4)
    off = ["--set", "store.url=redis://127.0.0.1:1"]
    assert "127.0.0.1:1" in failed(capsys, ["hide", "a", *live, *off], 7)


def test_a_canary_is_promoted(live: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["reindex", "--canary", "0.25", "--force", *live], capsys)
    assert "Generation 2 of acme is canary for 25.0% of the requests: 6 related lists" in text
    listed = said(["generations", *live], capsys)
    assert listed.index("canary") < listed.index("live")
    text = said(["promote", *live], capsys)
    assert text == "Generation 2 of shop acme is live for all requests.\n"
    assert "no canary to promote" in failed(capsys, ["promote", *live], 3)


def test_a_canary_is_withdrawn(live: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said(["reindex", "--canary", "0.25", "--force", *live], capsys)
    assert "Generation 1 of shop acme is live" in said(["rollback", *live], capsys)
    assert "canary" not in said(["generations", *live], capsys)


@pytest.mark.parametrize(
    ("share", "code", "reason"),
    [
        ("1", 3, "canary share 1.0: use a number above 0 and below 1"),
        ("-0.5", 3, "use a number above 0 and below 1"),
        ("nan", 3, "use a number above 0 and below 1"),
        ("0.1", 4, "nothing is live yet"),
    ],
)
def test_a_canary_that_cannot_be_is_told_before_anything_is_built(
    tmp_path: Path, share: str, code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(write_shop(tmp_path, orders(*BASKETS)))]
    assert reason in failed(capsys, ["reindex", f"--canary={share}", *where], code)
    assert not list(tmp_path.rglob("artifacts"))
