"""`recommender related` and `search` as people use them."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.errors import ConfigError, DataError
from recommender.insights.search import searcher_of
from recommender.settings.loading import load
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
    assert reason in failed(capsys, asked, 3)


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


CATALOGUE = """item_id,title,category,price,in_stock
a,Red garden lamp,Lights,5,true
b,Blue garden lamp,Lights,50,true
c,Steel kettle,Kitchen,20,false
d,Copper kettle,Kitchen,25,true
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of which one generation is live."""
    path = write_shop(
        tmp_path_factory.mktemp("shop"),
        orders(*[("a", "b"), ("c", "d"), ("a", "d")] * 2),
        catalogue=CATALOGUE,
    )
    assert run(["reindex", "--config", str(path)]) == 0
    return path


def searched(
    capsys: pytest.CaptureFixture[str], config: Path, *words: str
) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run(["search", *words, "--json", "--config", str(config)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["shop"], answer["generation"]) == ("acme", 1)
    return list(answer["items"])


def test_words_find_items(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_ = searched(capsys, config, "red", "lamp")
    assert first["id"] == "a"
    assert first["title"] == "Red garden lamp"
    assert [hit["id"] for hit in searched(capsys, config, "kettel", "-n", "2")] in (
        ["c", "d"],
        ["d", "c"],
    )


def test_filters_and_hidden_items(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {hit["id"] for hit in searched(capsys, config, "kettle", "--in-stock")} == {"d"}
    assert {hit["id"] for hit in searched(capsys, config, "lamp", "--price-max", "9")} == {"a"}
    assert searched(capsys, config, "lamp", "--category", "Kitchen") == []
    assert run(["hide", "a", "--config", str(config)]) == 0
    assert {hit["id"] for hit in searched(capsys, config, "garden lamp")} == {"b"}
    assert run(["unhide", "a", "--config", str(config)]) == 0


def test_a_table_for_people(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "lamp", "--config", str(config)]) == 0
    assert "Blue garden lamp" in capsys.readouterr().out
    assert run(["search", "qqqq", "--category", "x", "--config", str(config)]) == 0
    assert "Nothing fits 'qqqq'" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[" "], ["x" * 201], ["a", "-n", "0"]])
def test_a_malformed_search_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(["search", *words, "--config", str(config)]) == ConfigError.exit_code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_nothing_live_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_shop(tmp_path, orders(("a", "b")))
    assert run(["search", "a", "--config", str(path)]) == DataError.exit_code
    assert "run recommender reindex" in capsys.readouterr().err


def test_vectors_of_another_model_are_refused(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = load(config).artifact_store()
    monkeypatch.setattr(
        "recommender.vectors.content.static.HashingEncoder.fingerprint", lambda _: "another"
    )
    with pytest.raises(ConfigError, match="the model here is another"):
        searcher_of(store, 1)
