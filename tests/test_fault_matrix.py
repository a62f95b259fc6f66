"""The fault matrix: every mark names a row, every row has a test or says why not, and runs report.

Outcomes are collected by `tests/support/fault_report.py`. `make test` fails where its run did not
show a row; `make faults` runs all marked tests and writes docs/faults.md.
"""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.fault_report import PAGE, Found, main, outcome_of, page, read, write
from tests.support.fault_rows import ROWS, Row
from tests.support.repository import REPOSITORY


@cache
def marked() -> list[tuple[str, int | str]]:
    """Each test that is marked, as its node, and a row of it."""
    found = []
    for path in sorted(Path(__file__).parent.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body if "@pytest.mark.fault(" in text else []:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for call in (one for mark in node.decorator_list for one in ast.walk(mark)):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault":
                    test = f"{path.relative_to(REPOSITORY)}::{node.name}"
                    found += [(test, ast.literal_eval(row)) for row in call.args]
    return found


def test_every_row_has_a_test_or_a_reason_and_every_mark_a_row() -> None:
    assert {row for _, row in marked()} == {name for name, row in ROWS.items() if not row.uncovered}


def test_rows_of_the_guide_are_all_there() -> None:
    assert {*range(1, 81), *(f"S{number}" for number in range(1, 23))} <= set(ROWS)


def test_the_page_is_that_of_these_rows_and_tests() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    shown = [line.split(" | ") for line in lines if line.startswith("| ")][2:]
    rows = [("| " + str(name), row.fault, row.promise) for name, row in ROWS.items()]
    assert [tuple(cells[:3]) for cells in shown] == rows, "run make faults"
    named = {test for cells in shown for test in re.findall("`(.+?)`", cells[3])}
    assert named <= {test.removeprefix("tests/") for test, _ in marked()}, "run make faults"
    outcomes = {cells[5].removesuffix(" |").partition(":")[0] for cells in shown}
    assert outcomes <= {"passed", "not covered"}


CASES = """
import pytest

@pytest.mark.fault(1)
@pytest.mark.parametrize("n", [0, 1])
def test_one(n): assert n == 0

@pytest.mark.fault(2, "S1")
def test_two(recovery):
    with recovery(): pass

@pytest.mark.fault(3)
def test_three(): pytest.skip("no server")

@pytest.fixture
def broken(): raise OSError("no")

@pytest.mark.fault(4)
def test_four(broken): pass
"""


@pytest.mark.parametrize("options", [[], ["-p", "xdist", "-n", "1"]], ids=["alone", "xdist"])
def test_runs_report_what_their_tests_did(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "test_cases.py").write_text(CASES)
    report = tmp_path / "faults.json"
    write(report, {"1": {"tests/a.py::test_before": Found()}})
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    fault(*rows)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.fault_report", *options]
    command += ["-c", str(tmp_path / "pytest.ini"), f"--faults={report}", str(tmp_path)]
    few = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # to start in no time
    ran = subprocess.run(command, cwd=REPOSITORY, env=few, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    found = read(report)[1]
    (took_s,) = found["2"]["test_cases.py::test_two"].recoveries_s
    assert 0 <= took_s < 60
    assert found == {
        "1": {"tests/a.py::test_before": Found(), "test_cases.py::test_one": Found("failed")},
        "2": {"test_cases.py::test_two": Found(recoveries_s=[took_s])},
        "3": {"test_cases.py::test_three": Found("skipped", "no server")},
        "4": {"test_cases.py::test_four": Found("failed")},
        "S1": {"test_cases.py::test_two": Found(recoveries_s=[took_s])},
    }


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        ([], "not run"),
        (["skipped"], "not run"),
        (["skipped", "passed"], "passed"),
        (["failed", "passed"], "failed"),
    ],
)
def test_a_row_is_shown_by_a_test_that_ran(outcomes: list[str], outcome: str) -> None:
    tests = {str(number): Found(found) for number, found in enumerate(outcomes)}
    assert outcome_of(Row("fault", "promise"), tests) == outcome
    assert outcome_of(Row("fault", "promise", "why"), tests) == "not covered: why"


def test_a_run_that_shows_too_little_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, written = tmp_path / "faults.json", tmp_path / "faults.md"
    rows = {str(name): {"t::a": Found()} for name, row in ROWS.items() if not row.uncovered}
    write(report, rows)
    assert main([str(report), "--page", str(written), "--check"]) == 0
    assert not written.exists()
    rows["9"] = {"t::a": Found("failed")}
    rows["12"] = {"t::a": Found("skipped", "no server")}
    del rows["S2"]
    write(report, rows)
    assert main([str(report), "--page", str(written)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[:3] == ["row 9: failed", "row 12: not run (no server)", "row S2: not run"]
    assert "| 9 | " in written.read_text()


def test_each_line_of_the_page_is_a_row() -> None:
    rows = {"5": {"tests/a.py::b": Found(recoveries_s=[1, 2])}}
    lines = page("2026-01-02", rows).splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 2 + len(ROWS)
    assert "2026-01-02" in "".join(lines[:6])
    (line,) = [line for line in lines if line.startswith("| 5 |")]
    assert line.endswith(" | `a.py::b` | 1.5 s | passed |")
