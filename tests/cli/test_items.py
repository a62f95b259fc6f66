"""`recommender items` as people use it."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.cli.session import connection
from recommender.serving.keys import Keys
from recommender.settings.loading import load
from tests.cli.shop import failed, related, said
from tests.serving.servers import until


def show(item: str, where: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(said(["items", "show", item, "--json", *where], capsys))
    return found


def test_update_show_and_clear(
    where: list[str], live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "changes.csv"
    file.write_text("id,version,price,stock\nb,1,4.50,0\na,1,cheap,\nb\n,1,2,3\n")
    text = said(["items", "update", "--file", str(file), *where], capsys)
    assert text == (
        "line 3: item 'a': price = 'cheap': give a number\n"
        "line 5: id '': empty\n"
        "1 rows: 1 fields, 4 expected\n"
        "1 changes applied, 0 ignored as older or known, 3 refused\n"
    )
    assert "0 changes applied, 1 ignored" in said(
        ["items", "update", "--file", str(file), *where], capsys
    )
    found = show("b", where, capsys)
    assert found["change"] == {
        **{"price": 4.5, "stock": 0, "version": 1, "versions": {"price_minor": 1}}
    }
    assert (found["hidden"], found["unavailable"]) == (False, True)
    assert "b: unavailable" in said(["items", "show", "b", *where], capsys)
    answer = related(live, "a", capsys)
    assert isinstance(answer["items"], list)
    assert "b" not in [entry["id"] for entry in answer["items"]]
    assert "changes of 1 items" in said(["items", "clear", "b", "zzz", *where], capsys)
    assert show("b", where, capsys)["change"] == {}
    assert "b: may be shown" in said(["items", "show", "b", *where], capsys)


def test_changes_on_stdin(
    where: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"id": "a", "stock": 0}\n\nx\n'))
    text = said(["items", "update", "--file", "-", *where], capsys)
    assert "line 2: 'x\\n': give a JSON object" in text
    assert text.endswith("1 changes applied, 0 ignored as older or known, 1 refused\n")
    assert "changes of 1 items" in said(["items", "clear", "--all", *where], capsys)


def test_what_cannot_be_done_is_told(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "name items, or a --file" in failed(capsys, ["items", "clear", *where], 2)
    assert "or else --all" in failed(capsys, ["items", "clear", "a", "--all", *where], 2)
    nowhere = str(tmp_path / "nowhere.csv")
    assert "no such file" in failed(capsys, ["items", "update", "--file", nowhere, *where], 3)


def test_follow_ends_on_sigterm(where: list[str], live: Path) -> None:
    settings = load(live, [])
    command = [sys.executable, "-m", "recommender.cli", "items", "follow", *where]
    with connection(settings) as store:
        inbox = Keys(settings.shop).inbox
        store.xadd(inbox, {"change": '{"id": "a", "stock": 2}'})
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        ) as process:
            try:
                until(lambda: store.xlen(inbox) == 0, timeout_s=60)
            finally:
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == [
        f"following {inbox}",
        "1 changes applied, 0 ignored as older or known, 0 refused",
    ]
