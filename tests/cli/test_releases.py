"""What a gate held: looked at, approved, overtaken."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.settings.loading import load
from tests.cli.shop import PLAIN_BASKETS, failed, related, said
from tests.support.shop_files import orders, write_shop, write_small_shop


@pytest.fixture
def held(tmp_path: Path) -> list[str]:
    """A shop with generation 1 live and run 2 held, because most orders are gone."""
    config = write_shop(tmp_path, orders(*PLAIN_BASKETS))
    where = ["--config", str(config)]
    assert run(["reindex", *where]) == 0
    (tmp_path / "orders.csv").write_text(orders(("a", "b"), ("a", "f")))
    assert run(["reindex", *where]) == 6
    return where


def generation(where: list[str], capsys: pytest.CaptureFixture[str], item: str = "a") -> int:
    capsys.readouterr()
    assert run(["related", item, *where, "--json"]) == 0
    return int(json.loads(capsys.readouterr().out)["generation"])


def test_a_held_build_waits_and_is_approved(
    held: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    store = load(Path(held[1])).artifact_store()
    record = store.run("acme.2")
    assert record is not None
    assert record["state"] == "held"
    assert "interactions" in " ".join(record["held"])
    assert generation(held, capsys) == 1
    assert run(["approve", *held]) == 0
    assert "Generation 2 of shop acme is live" in capsys.readouterr().out
    assert generation(held, capsys) == 2
    approved = store.run("acme.2")
    assert approved is not None
    assert approved["state"] == "published"
    assert run(["approve", *held]) == 3
    assert "waiting: none" in capsys.readouterr().err
    assert run(["reindex", *held]) == 0
    assert "Nothing changed: generation 2" in capsys.readouterr().out


def test_a_later_generation_overtakes_what_is_held(
    held: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reindex", *held, "--force"]) == 0
    capsys.readouterr()
    assert run(["approve", "2", *held]) == 3
    refused = "run 2 is not held and newer than the live generation; waiting: none"
    assert refused in capsys.readouterr().err
    assert generation(held, capsys) == 3


def test_golden_pairs_hold_and_bad_files_stop_the_run(
    held: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = tmp_path / "golden.csv"
    strict = [*held, "--set", "gates.golden=golden.csv", "--set", "gates.items_share_min=0"]
    golden.write_text("item,related,expected\na,b,never\n")
    assert run(["reindex", *strict]) == 6
    assert "golden pairs: line 2: 'b' stands in the related list of 'a'" in capsys.readouterr().err
    golden.write_text("item,related,expected\na,b,maybe\n")
    assert run(["reindex", *strict]) == 4
    assert "line 2: expected 'maybe'" in capsys.readouterr().err
    assert generation(held, capsys) == 1


def test_diff_in_the_terminal(held: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["diff", "live", "held", *held]) == 0
    said = capsys.readouterr().out
    assert "Shop acme: 1 (live) compared with 2 (held)." in said
    assert "held: " in said
    assert "churn@10" in said
    assert max(map(len, said.splitlines())) <= 100
    row = next(line.split() for line in said.splitlines() if line.startswith("related"))
    assert row[1:4] == ["3", "0", "3"]
    assert run(["diff", "1", "1", *held]) == 0
    assert "0.0%" in capsys.readouterr().out
    assert run(["diff", "1", "9", *held]) == 3
    assert "no release '9'; there are: 2 held, 1 live" in capsys.readouterr().err


def test_diff_as_a_page(
    held: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "diff.html"
    assert run(["diff", "live", "2", *held, "--html", str(file)]) == 0
    text = file.read_text()
    assert "Title of a" in text
    assert "Held: 4 interactions" in text
    assert run(["diff", "1", "2", *held, "--html", str(tmp_path / "no" / "x.html")]) == 3


def test_a_recipe_that_is_judged_worse_is_held(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_small_shop(tmp_path)
    where = ["--config", str(config), "--set", "gates.ndcg_drop_max=0.05"]
    where += ["--set", "gates.overlap_min=0"]
    assert run(["reindex", *where]) == 0
    store = load(config).artifact_store()
    good = store.run("acme.1")
    assert good is not None
    assert 0 < good["measures"]["ndcg"] < 1
    text_alone = (
        "recipe.placements=[{name='related', fusion={use='concatenation', weights={text=1.0}},"
        " candidates=['nearest'], ranker='identity'}]"
    )
    assert run(["reindex", *where, "--set", text_alone]) == 6
    assert "offline NDCG@10 is 0." in capsys.readouterr().err
    assert run(["reindex", *where[:2], "--set", text_alone, "--set", "gates.overlap_min=0"]) == 0


def test_a_shop_without_times_is_not_judged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = write_shop(tmp_path, "order_id,item_id,title\n1,a,A\n1,b,B\n2,a,A\n2,b,B\n")
    assert run(["reindex", "--config", str(config), "--set", "gates.ndcg_drop_max=0.05"]) == 0
    assert "the recipe was not judged: " in caplog.text


def test_items_that_somebody_may_have_bought_a_place_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [f"s{row:02d}" for row in range(40)]
    honest = [tuple(items[row : row + 4]) for row in range(0, 36, 2)] * 3
    config = write_shop(tmp_path, orders(*honest))
    where = ["--config", str(config)]
    assert run(["reindex", *where]) == 0
    fake = [(item, "s39") for item in items[:30]] * 8
    (tmp_path / "orders.csv").write_text(orders(*honest, *fake))
    capsys.readouterr()
    assert run(["reindex", *where, "--set", "gates.overlap_min=0"]) == 0
    assert "Entered the first five of many lists: s39" in capsys.readouterr().out
    page_file = tmp_path / "diff.html"
    assert run(["diff", "previous", "live", *where, "--html", str(page_file)]) == 0
    assert "Entered the first five of many related lists" in capsys.readouterr().out
    assert "Entered the first five of many lists" in page_file.read_text()


def test_generations_rollback_and_status(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", str(live)]
    assert run(["reindex", *where, "--force"]) == 0
    capsys.readouterr()
    assert run(["generations", *where]) == 0
    listed = capsys.readouterr().out
    assert listed.index("live") < listed.index("previous")
    assert run(["rollback", *where]) == 0
    assert "Generation 1 of shop acme is live" in capsys.readouterr().out
    assert related(live, "a", capsys)["generation"] == 1
    assert run(["status", *where]) == 0
    assert "generation 1" in capsys.readouterr().out
    said = failed(capsys, ["rollback", "77", *where], 3)
    assert "no complete generation 77 to roll back to; there are: 2 previous, 1 live" in said


def test_a_canary_is_promoted(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["reindex", "--canary", "0.25", "--force", *where], capsys)
    assert "Generation 2 of acme is canary for 25.0% of the requests: 6 related lists" in text
    listed = said(["generations", *where], capsys)
    assert listed.index("canary") < listed.index("live")
    text = said(["promote", *where], capsys)
    assert text == "Generation 2 of shop acme is live for all requests.\n"
    assert "no canary to promote" in failed(capsys, ["promote", *where], 3)


def test_a_canary_is_withdrawn(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said(["reindex", "--canary", "0.25", "--force", *where], capsys)
    assert "Generation 1 of shop acme is live" in said(["rollback", *where], capsys)
    assert "canary" not in said(["generations", *where], capsys)


def test_status_names_what_needs_a_person(
    held: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = " ".join(said(["status", *held], capsys).split())
    assert "run 2 is held: " in told
    assert "6 lists of related are short" in told
    assert run(["approve", *held]) == 0
    assert "is held" not in said(["status", *held], capsys)


def test_figures_of_builds_are_listed(held: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    newest, oldest = said(["generations", "--figures", *held], capsys).splitlines()[1:]
    assert newest.split()[:2] == ["2", "held"]
    assert oldest.split()[:2] == ["1", "published"]
    assert "% " in newest.partition("related")[2]


def test_changes_of_what_is_live_are_recorded(held: list[str]) -> None:
    assert run(["approve", *held]) == 0
    assert run(["rollback", *held]) == 0
    entries = load(Path(held[1])).audit_log().newest(9)
    assert [(one["what"], one["after"]["live"]) for one in entries] == [
        ("rollback", 1),
        ("approve", 2),
    ]
    assert all(one["who"].endswith("(command line)") for one in entries)
