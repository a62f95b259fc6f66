"""Drafts on the command line: add, show, preview, apply, history and undo."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.cli.shop import failed, related, said

RULES = "rules: []   # none yet\n"


@pytest.fixture
def steered(live: Path) -> list[str]:
    """The arguments of a tiny live shop with a rule file, and of an author."""
    (live.parent / "rules.yaml").write_text(RULES)
    with live.open("a") as file:
        file.write('[merchandising]\nrules = "rules.yaml"\n')
    return ["--config", str(live), "--author", "maria"]


def draft(action: str, *arguments: str) -> list[str]:
    return ["rules", "draft", action, *arguments]


def test_a_draft_from_its_first_change_to_undo(
    steered: list[str], live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = related(live, "a", capsys)
    said([*draft("add", "exclude", "b", "--placement", "related"), *steered], capsys)
    said([*draft("add", "pin", "NA", "--lists-of", "a"), *steered], capsys)
    shown = said([*draft("add", "hide", "c", "--reason", "Sold off"), *steered], capsys)
    assert "Draft of maria: 3 changes." in shown
    assert "pin NA to 1 in lists of a" in shown
    assert "2 changes" in said([*draft("remove", "3"), *steered], capsys)
    preview = said([*draft("preview", "--item", "a"), *steered], capsys)
    assert "exclude b, related" in preview
    assert max(map(len, preview.splitlines())) <= 100
    found = json.loads(said([*draft("preview", "--json"), *steered], capsys))
    assert [one["lists"] for one in found["changes"]] == [5, 1]
    applied = said([*draft("apply", "--reason", "Spring"), *steered], capsys)
    assert "Overlay 2 over generation 1 of acme is live: 2 rules" in applied
    items = related(live, "a", capsys)["items"]
    assert isinstance(items, list)
    assert items[0]["id"] == "NA"
    assert "b" not in [item["id"] for item in items]
    (done,) = json.loads(said(["rules", "history", *steered[:2], "--json"], capsys))
    assert (done["who"], done["reason"], done["state"]) == ("maria", "Spring", "applied")
    said(["rules", "undo", done["id"], *steered], capsys)
    assert (live.parent / "rules.yaml").read_text() == RULES
    assert related(live, "a", capsys)["items"] == before["items"]
    history = said(["rules", "history", *steered[:2]], capsys)
    assert f"applied undoes {done['id']}" in history
    assert "There is no draft." in said([*draft("discard"), *steered], capsys)


def test_what_is_wrong_is_said_with_what_to_do(
    steered: list[str], live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "maria has no draft" in failed(capsys, [*draft("apply"), *steered], 4)
    assert "there is no with" in failed(capsys, [*draft("add", "replace", "a"), *steered], 4)
    assert "name an item" in failed(capsys, [*draft("add", "exclude"), *steered], 3)
    said([*draft("add", "exclude", "zz"), *steered], capsys)
    capsys.readouterr()
    assert run([*draft("preview"), *steered]) == 4
    assert "there is no item 'zz'" in capsys.readouterr().out
    (live.parent / "rules.yaml").write_text(RULES + "# later\n")
    assert "draft rebase" in failed(capsys, [*draft("apply"), *steered], 4)
    assert "changed since" in said([*draft("show"), *steered], capsys)
    assert "changed since" not in said([*draft("rebase"), *steered], capsys)
    assert "--skip-unknown" in failed(capsys, [*draft("apply"), *steered], 4)
    assert "1 unknown name left out" in said([*draft("apply", "--skip-unknown"), *steered], capsys)
    shown = json.loads(said([*draft("show", "--json"), *steered], capsys))
    assert shown == {"author": "maria", "stale": False, "changes": []}
