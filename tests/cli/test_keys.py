"""`recommender keys` as people use it."""

import stat
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.service.keys import KeyRing, read_keys
from tests.cli.shop import failed, said


def test_a_key_is_printed_once_and_its_digest_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    path.touch()
    web = said(["keys", "add", str(path), "web"], capsys).strip()
    console = said(
        ["keys", "add", str(path), "desk", "--roles", "read,merchandise"], capsys
    ).strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert web not in path.read_text()
    ring = KeyRing(read_keys(path)[0])
    for key, name, roles in (
        (web, "web", {"read"}),
        (console, "desk", {"read", "merchandise"}),
    ):
        found = ring.find(key.encode())
        assert found is not None
        assert (found.name, set(found.roles)) == (name, roles)
    shown = said(["keys", "list", str(path)], capsys)
    assert "desk" in shown
    assert "read, merchandise" in shown
    assert [*tmp_path.iterdir()] == [path]


def test_plain_keys_are_hashed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    path.write_text("# of the shop\nplain-one\nplain-two\n")
    assert "2 keys are in plain text" in said(["keys", "list", str(path)], capsys)
    assert said(["keys", "hash", str(path)], capsys).startswith("2 keys in plain text replaced")
    assert "plain" not in path.read_text()
    assert path.read_text().startswith("# of the shop\n")
    found, plain = read_keys(path)
    assert plain == 0
    assert KeyRing(found).find(b"plain-two")
    before = path.read_text()
    assert said(["keys", "hash", str(path)], capsys).startswith("0 keys")
    assert path.read_text() == before


def test_what_cannot_be_added_leaves_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    assert run(["keys", "add", str(path), "web"]) == 0
    before = path.read_text()
    add = ["keys", "add", str(path)]
    assert "2 are named 'web'" in failed(capsys, [*add, "web"], 3)
    assert "name of a key 'W'" in failed(capsys, [*add, "W"], 3)
    assert "give some of read" in failed(capsys, [*add, "x", "--roles", "write"], 3)
    assert path.read_text() == before
    nowhere = str(tmp_path / "nowhere" / "keys")
    assert "cannot be written" in failed(capsys, ["keys", "add", nowhere, "web"], 3)
    assert "cannot be read" in failed(capsys, ["keys", "list", nowhere], 3)
