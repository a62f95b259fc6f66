"""`recommender refresh` as people use it."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
CATALOGUE = "item_id,title\n" + "".join(f"{item},Garden lamp {item}\n" for item in "abcdef")


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """The settings of a tiny shop with one generation live, and a row more in its catalogue."""
    config = write_shop(tmp_path, orders(*BASKETS), catalogue=CATALOGUE)
    assert run(["reindex", "--config", str(config)]) == 0
    with (tmp_path / "catalogue.csv").open("a") as file:
        file.write("new,Garden lamp new\n")
    return config


def related(config: Path, item: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert run(["related", item, "--config", str(config), "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_refresh_says_what_it_did_and_related_shows_it(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(live)]
    listed = live.parent / "ids.txt"
    listed.write_text("a\n")
    capsys.readouterr()
    assert run(["refresh", "new", "--file", str(listed), *where]) == 0
    said = capsys.readouterr()
    assert not said.err
    assert "1 new and 1 known items refreshed: generation 2 overlays 1" in said.out
    assert "related: inserted in " in said.out
    assert "provisional until the next recommender reindex" in said.out
    answer = related(live, "new", capsys)
    assert (answer["status"], answer["provisional"]) == ("ok", True)
    items = related(live, "b", capsys)["items"]
    assert isinstance(items, list)
    shown = {entry["id"]: entry for entry in items}
    assert shown["new"]["provisional"]
    assert shown["new"]["title"] == "Garden lamp new"
    assert not shown["a"]["provisional"]
    assert run(["related", "b", *where]) == 0
    assert "text, provisional" in capsys.readouterr().out
    assert run(["related", "new", *where]) == 0
    assert "Garden lamp new  (provisional)" in capsys.readouterr().out


def test_hidden_items_are_told(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", str(live)]
    assert run(["hide", "new", *where]) == 0
    assert run(["refresh", "new", *where]) == 0
    assert "1 of them hidden: recommender unhide shows them" in capsys.readouterr().out


def test_what_cannot_be_refreshed_is_told_in_one_line(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(live)]
    for arguments, code, told in (
        (["refresh"], 3, "no item: name some, or a --file"),
        (["refresh", "nobody"], 4, "item 'nobody': not in "),
        (["refresh", "new", "--set", "catalogue.path=''"], 3, "catalogue.path is not set"),
    ):
        capsys.readouterr()
        assert run([*arguments, *where]) == code
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert told in said.err
        assert not said.out


def test_a_run_that_began_before_is_told(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = live.parent / ".recommender" / "artifacts" / "acme" / "runs"
    assert [path.name for path in record.iterdir()] == ["acme.1.json"]
    from recommender.build.job import pinned
    from recommender.cli.session import publisher
    from recommender.pipeline import begin
    from recommender.settings.loading import load

    settings = load(live)
    with publisher(settings) as shop:
        begin(pinned(settings.job()), shop)
    capsys.readouterr()
    assert run(["refresh", "new", "--config", str(live)]) == 0
    assert "run 2, if it is still running, is superseded by this refresh" in capsys.readouterr().err
