"""`recommender search` and `recommender cluster`, as typed."""

import asyncio
import csv
import json
import re
import time
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.cli.serve import live_search
from recommender.cli.session import connection
from recommender.errors import ConfigError, DataError
from recommender.insights.search import searcher_of
from recommender.service.models import RequestRefused, SearchRequest
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop

CATALOGUE = """item_id,title,category,price,in_stock
a,Red garden lamp,Lights,5,true
b,Blue garden lamp,Lights,50,true
c,Steel kettle,Kitchen,20,false
d,Copper kettle,Kitchen,25,true
"""
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"
TICKETS = [
    *(f"printer {where} does not print" for where in ("one", "two", "upstairs", "downstairs")),
    *(f"password of {who} forgotten" for who in ("anna", "bert", "carl", "dora")),
    f"password {HOSTILE} forgotten",
]


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
        "recommender.vectors.content.hashing.HashingEncoder.fingerprint", lambda _: "another"
    )
    with pytest.raises(ConfigError, match="the model here is another"):
        searcher_of(store, 1)


def test_the_service_follows_what_is_live(config: Path) -> None:
    settings = load(config)

    async def asked() -> list[str]:
        with connection(settings) as store:
            search = live_search(settings, store)
            follower = asyncio.create_task(search.run())
            ends = time.monotonic() + 30
            try:
                while True:
                    try:
                        found = await search.find(SearchRequest(q="copper kettle", n=1))
                    except RequestRefused:
                        assert time.monotonic() < ends
                        await asyncio.sleep(0.01)
                    else:
                        return [str(item.id) for item in found.items]
            finally:
                follower.cancel()
                search.close()

    assert asyncio.run(asked()) == ["d"]


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "subject", "price"])
        writer.writerows([number, text, "n/a"] for number, text in enumerate(TICKETS))
    return path


def grouped(tickets: Path, *more: str) -> int:
    table = ["--table", str(tickets), "--id", "number", "--text", "subject"]
    state = f"state.folder={tickets.parent / 'state'}"
    encoder = 'recipe.content.text={use = "hashing", dimensions = 512}'
    return run(["cluster", *table, "--set", state, "--set", encoder, *more])


def test_any_table_is_grouped(tickets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tickets.with_name("groups.csv")
    assert grouped(tickets, "--csv", str(out)) == 0
    assert "2 groups of 9 items" in capsys.readouterr().out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["item"] for row in rows] == [str(number) for number in range(len(TICKETS))]
    assert {row["cluster"] for row in rows[:4]} != {row["cluster"] for row in rows[4:]}
    assert all("printer" in row["name"] for row in rows[:4])
    assert all("password" in row["name"] for row in rows[4:])


def test_the_map_is_one_file_and_safe(tickets: Path) -> None:
    out = tickets.with_name("map.html")
    assert grouped(tickets, "--html", str(out), "--k", "2") == 0
    page = out.read_text()
    assert page.count("</script>") == 2
    assert "<img" not in page
    assert not re.search(r"(src|href)=", page.replace("src=x", ""))
    data = re.search(r'id="data">\n(.*?)\n</script>', page, re.DOTALL)
    assert data is not None
    points = json.loads(data.group(1))["points"]
    assert len(points) == len(TICKETS)
    assert "script-src 'sha256-" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "t.csv"], "--id"),
        (["--table", "t.csv", "--id", "a", "--text", "b"], "no such file"),
        (["--table", "t.csv", "--id", "a", "--text", "b", "--config", "c"], "one of them"),
    ],
)
def test_a_malformed_table_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cluster", *arguments]) == ConfigError.exit_code
    assert said in capsys.readouterr().err


def test_absurd_numbers_of_groups_are_refused(
    tickets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in ("1", "many", "-3"):
        assert grouped(tickets, f"--k={k}") == ConfigError.exit_code
    assert "give a number of at least 2" in capsys.readouterr().err
