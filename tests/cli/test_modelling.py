"""`recommender cluster` as people use it."""

import csv
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.pages.html import read

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"


TICKETS = [
    *(f"printer {where} does not print" for where in ("one", "two", "upstairs", "downstairs")),
    *(f"password of {who} forgotten" for who in ("anna", "bert", "carl", "dora")),
    f"password {HOSTILE} forgotten",
]


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
    assert grouped(tickets, "--html", str(out), "--groups", "2") == 0
    (data,) = read(out.read_text()).data
    points = data["points"]
    assert len(points) == len(TICKETS)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--table", "t.csv"], 2, "--id"),
        (["--table", "t.csv", "--id", "a", "--text", "b"], 3, "no such file"),
        (["--table", "t.csv", "--id", "a", "--text", "b", "--config", "c"], 2, "one of them"),
    ],
)
def test_a_malformed_table_is_refused(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cluster", *arguments]) == code
    assert said in capsys.readouterr().err


def test_absurd_numbers_of_groups_are_refused(
    tickets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in ("1", "many", "-3"):
        assert grouped(tickets, f"--groups={k}") == 2
    assert "give a number of at least 2" in capsys.readouterr().err
