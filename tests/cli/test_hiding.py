"""`recommender hide` and `unhide` as people use them, and files of ids."""

from pathlib import Path

import pytest

from recommender.cli.hiding import ids_in
from recommender.errors import DataError
from tests.cli.shop import failed, said


def test_hide_and_unhide(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["hide", "a", "b", "a", *where], capsys)
    assert text == "2 hidden, 0 unchanged; 2 items of shop acme are hidden.\n"
    assert said(["hide", "a", "c", *where], capsys).startswith("1 hidden, 1 unchanged; 3 items")
    text = said(["unhide", "a", "zzz", *where], capsys)
    assert text == "1 shown again, 1 unchanged; 2 items of shop acme are hidden.\n"


@pytest.mark.fault(72)
def test_hide_says_which_ids_are_unknown(
    where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(["hide", "a", "999", *where], capsys)
    assert text.startswith("2 hidden, 0 unchanged; 2 items")
    assert "Not in the live lists: '999'. Ids are case-sensitive" in text
    many = [f"x{number}" for number in range(9)]
    assert "'x4' and 4 more" in said(["hide", *many, *where], capsys)
    assert "Not in" not in said(["unhide", "a", *where], capsys)


def test_hide_a_file(where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_bytes("\ufeffa\r\n\r\nü x \n00123".encode())
    assert said(["hide", "NA", "--file", str(listed), *where], capsys).startswith("4 hidden")
    assert said(["unhide", "ü x ", *where], capsys).startswith("1 shown again")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a\nb\0\n", "line 2: item id 'b\\x00': a control character"), (b"a\n\xff", "UTF-8, byte 2")],
)
def test_a_file_that_is_none_hides_nothing(
    where: list[str],
    tmp_path: Path,
    content: bytes,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_bytes(content)
    assert reason in failed(capsys, ["hide", "--file", str(listed), *where], 4)
    assert "0 items" in said(["unhide", "a", *where], capsys)


def test_what_cannot_be_hidden_is_told(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in ("hide", "unhide"):
        assert "no item: name some" in failed(capsys, [action, *where], 2)
        assert "item id 'a\\t': a control" in failed(capsys, [action, "a\t", *where], 4)
    nowhere = str(tmp_path / "nowhere.txt")
    assert "nowhere.txt: No such file" in failed(capsys, ["hide", "--file", nowhere, *where], 4)
    off = ["--set", "store.url=redis://127.0.0.1:1"]
    assert "127.0.0.1:1" in failed(capsys, ["hide", "a", *where, *off], 7)


def test_ids_are_the_lines_of_a_file_as_they_are(tmp_path: Path) -> None:
    """A byte order mark and line ends of Windows are no part of an id; spaces are."""
    path = tmp_path / "ids.txt"
    path.write_bytes("\ufeffa\r\n\r\nü x \n00123".encode())
    assert list(ids_in(path)) == [(1, "a"), (3, "ü x "), (4, "00123")]
    assert list(ids_in(None)) == []


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"a\n\xff", "not UTF-8, byte 2")]
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "ids.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"ids\.txt: {reason}"):
        list(ids_in(path))
