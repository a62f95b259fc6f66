"""Tables in narrow terminals, and what a long run says meanwhile on a terminal and in a log."""

import csv
from pathlib import Path

import pytest

from recommender.artifacts.runs import Run, State
from recommender.artifacts.store import ArtifactStore
from recommender.cli import terminal
from recommender.cli.main import run
from recommender.cli.terminal import (
    EVERY_S,
    EarlierRun,
    ProgressLines,
    RunLine,
    duration,
    write_csv,
)
from tests.cli.shop import said
from tests.support.shop_files import orders, write_shop

EARLIER = EarlierRun("shop.3", [("read", 60.0), ("encode texts", 300.0), ("publish", 20.0)])


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.fault("S23")
def test_no_cell_of_a_csv_file_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    hostile = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
    plain = ["a=b", "a-b", "", "'=1", " x", "-5", "+1.5e-3", "007"]
    numbers = [-5, -0.5, 7]
    write_csv("--csv", path, [hostile, plain, numbers])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [f"'{cell}" for cell in hostile]
    assert rows[1] == plain
    assert rows[2] == ["-5", "-0.5", "7"]


def test_what_is_left_is_what_the_stages_ahead_took_in_the_earlier_run() -> None:
    clock = Clock()
    line = RunLine(EARLIER, clock)
    assert line.left() == 380
    with line.stage("read"):
        clock.now = 15
        assert line.left() == 365
        clock.now = 90  # longer than the earlier one
        assert line.left() == 320
    assert line.left() == 320
    with line.stage("new in this run"):
        assert line.left() == 320
    with line.stage("publish"):  # texts were not encoded this time
        clock.now = 95
        assert line.line().plain.startswith("publish")
        assert line.line().plain.endswith("0:05, run 1:35, about 0:15 left if as in run shop.3")
    assert line.left() == 0


def test_the_first_run_of_a_shop_says_nothing_of_what_is_left() -> None:
    clock = Clock()
    line = RunLine(None, clock)
    with line.stage("read"):
        clock.now = 61
        assert line.line().plain.endswith("1:01, run 1:01")
    assert line.left() is None


def test_the_earlier_run_is_the_newest_that_was_published(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "acme")
    assert EarlierRun.newest(store) is None
    states: list[State] = ["published", "published", "failed", "running"]
    for number, state in enumerate(states, start=1):
        stages = [{"stage": "read", "seconds": float(number)}]
        Run("acme", number, state, settings={}, pins={}, stages=stages).begin(store)
    assert EarlierRun.newest(store) == EarlierRun("acme.2", [("read", 2.0)])


def test_a_log_has_a_line_after_each_long_stage(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    line = RunLine(EARLIER, clock)
    with line.shown():
        with line.stage("read"):
            clock.now = 65
        with line.stage("plan texts"):
            clock.now = 66
    assert capsys.readouterr().err == "read: 1:05, about 5:20 left if as in run shop.3\n"


def test_a_log_has_a_line_every_half_minute_of_a_stage_with_units(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    lines = ProgressLines("encode texts", 1000, clock)
    for second in range(1, 2 * EVERY_S + 1):
        clock.now = float(second)
        lines.advance(10)
    assert capsys.readouterr().err.splitlines() == [
        "encode texts: 300 of 1,000, about 1:10 left",
        "encode texts: 600 of 1,000, about 0:40 left",
    ]


def test_a_short_stage_says_nothing_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = ProgressLines("encode texts", 1000, clock)
    clock.now = 10.0
    lines.advance(1000)
    assert capsys.readouterr().err == ""


def test_durations_are_minutes_and_seconds() -> None:
    assert [duration(s) for s in (0.4, 59.6, 760, 3723)] == ["0:00", "1:00", "12:40", "1:02:03"]


A, B, C = (f"{letter}-{'0123456789' * 4}"[:40] for letter in "ABC")
LONG_BASKETS = [(A, B, C), (A, B), (B, C), (C, A)] * 3


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments that name a shop of long ids, with two generations."""
    folder = tmp_path_factory.mktemp("long")
    config = ["--config", str(write_shop(folder, orders(*LONG_BASKETS)))]
    assert run(["reindex", *config]) == 0
    write_shop(folder, orders(*LONG_BASKETS, (A, C), (A, C)))
    assert run(["reindex", *config]) == 0
    return config


@pytest.mark.parametrize(
    ("command", "ids"),
    [
        (["related", A], (A, B, C)),
        (["related", A, "--page", "related"], (B, C)),
        (["search", "title"], (A, B, C)),
        (["explain", A, B], (A, B)),
        (["items", "show", A], (A,)),
        (["lint"], ()),
        (["generations"], ("generation", "live", "previous")),
        (["diff", "previous", "live"], ()),
        (["status"], ("generation 2",)),
    ],
    ids=lambda given: " ".join(each[:8] for each in given),
)
def test_ids_are_never_cut(
    command: list[str],
    ids: tuple[str, ...],
    where: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(terminal, "WIDTH", 80)
    shown = said([*command, *where], capsys)
    assert max(map(len, shown.splitlines())) <= 80
    for each in ids:
        assert each in shown


def test_two_long_ids_take_several_lines(capsys: pytest.CaptureFixture[str]) -> None:
    ids = "a" * 100, "b" * 100
    terminal.console().print(terminal.table(["item", "other"], [ids]))
    shown = capsys.readouterr().out
    assert (shown.count("a"), shown.count("b")) == (100, 100)
    assert "…" not in shown
