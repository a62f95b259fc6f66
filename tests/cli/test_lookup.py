"""`recommender related` as people use it."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.cli.shop import BASKETS, failed, related, said
from tests.support.shop_files import orders, write_shop


def test_related_json(small_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = related(small_shop, "20000", capsys)
    assert set(answer) == {
        *("shop", "item", "placement", "generation", "status", "provisional", "dropped", "items")
    }
    assert (answer["shop"], answer["item"], answer["status"]) == ("acme", "20000", "ok")
    items = answer["items"]
    assert isinstance(items, list)
    assert len(items) == 12
    for entry in items:
        assert set(entry) == {"id", "score", "evidence", "provisional", "title"}
        assert entry["title"]
        assert 0 < entry["score"] <= 1


def test_related_table_fits_a_page(small_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["related", "20000", "-n", "5", "--config", str(small_shop)]) == 0
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert lines[0].startswith("related: 20000  Northwind Aster 5 Smartphone")
    assert len(lines) == 7
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("item", ["00123", "NA", "1e5"])
def test_ids_survive_from_end_to_end(
    live: Path, item: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert related(live, item, capsys)["item"] == item


def test_several_items_have_one_list(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", str(live)]
    both = said(["related", "a", "b", *where], capsys)
    assert both.startswith("related: a + b")

    def scores(*options: str) -> dict[str, float]:
        answer = json.loads(said(["related", "c", "NA", "--json", *options, *where], capsys))
        assert (answer["item"], answer["status"]) == ("", "ok")
        return {entry["id"]: entry["score"] for entry in answer["items"]}

    whole, decayed = scores(), scores("--decay", "0.5")
    assert {"c", "NA"}.isdisjoint(whole)
    assert decayed.keys() == whole.keys()
    assert all(decayed[item] <= score for item, score in whole.items())
    assert decayed != whole


@pytest.mark.parametrize(
    ("items", "decay", "reason"),
    [
        (["a", "b"], "0", "--decay 0.0: use a number above 0 and at most 1"),
        (["a", "b"], "1.5", "--decay 1.5: use"),
        (["a", "b"], "nan", "--decay nan: use"),
        (["a"], "0.5", "--decay: weighs several items; name more than one"),
    ],
)
def test_a_decay_that_means_nothing_is_refused(
    live: Path, items: list[str], decay: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["related", *items, "--decay", decay, "--config", str(live)]
    assert reason in failed(capsys, asked, 2)


def test_unknown_item_is_told_with_a_guess(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failed(capsys, ["related", "na", "--config", str(live)], 4)
    assert "item 'na' is not in the live generation 1; did you mean 'NA'?" in said


def test_nothing_published_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    said = failed(capsys, ["related", "a", "--config", str(config)], 4)
    assert "nothing is published for shop acme yet; run recommender reindex" in said
    assert run(["generations", "--config", str(config)]) == 0
    assert run(["status", "--config", str(config)]) == 0
    failed(capsys, ["rollback", "--config", str(config)], 3)
