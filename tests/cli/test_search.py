"""`recommender search` as people use it."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.errors import ConfigError, DataError
from recommender.insights.search import searcher_of
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop

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
    assert run(["search", *words, "--config", str(config)]) == 2
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
