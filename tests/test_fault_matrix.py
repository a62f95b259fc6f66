"""The fault matrix: every mark names a row, every row has a test or says why not, and runs report.

Outcomes are collected by `tests/support/fault_report.py`; `make faults` runs all marked tests and
fails where a row was not shown.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_report import main, outcome_of, page
from tests.support.fault_rows import ROWS, Row
from tests.support.repository import REPOSITORY


def marked() -> Iterator[int | str]:
    for path in Path(__file__).parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                yield from (ast.literal_eval(row) for row in node.args)


def test_every_row_has_a_test_or_a_reason_and_every_mark_a_row() -> None:
    assert set(marked()) == {name for name, row in ROWS.items() if not row.uncovered}


def test_rows_of_the_guide_are_all_there() -> None:
    assert {*range(1, 61), *(f"S{number}" for number in range(1, 23))} <= set(ROWS)


CASES = """
import pytest

@pytest.mark.fault(1)
@pytest.mark.parametrize("n", [0, 1])
def test_one(n): assert n == 0

@pytest.mark.fault(2, "S1")
def test_two(): pass

@pytest.mark.fault(3)
def test_three(): pytest.skip("no server")

@pytest.fixture
def broken(): raise OSError("no")

@pytest.mark.fault(4)
def test_four(broken): pass
"""


def test_a_run_reports_what_its_tests_did(tmp_path: Path) -> None:
    (tmp_path / "test_cases.py").write_text(CASES)
    report = tmp_path / "faults.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.fault_report"]
    command += ["-p", "no:cacheprovider", "-c", str(REPOSITORY / "pyproject.toml")]
    command += [f"--rootdir={tmp_path}", f"--faults={report}", str(tmp_path / "test_cases.py")]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert json.loads(report.read_text())["rows"] == {
        "1": {"test_cases.py::test_one": "failed"},
        "2": {"test_cases.py::test_two": "passed"},
        "3": {"test_cases.py::test_three": "skipped: no server"},
        "4": {"test_cases.py::test_four": "failed"},
        "S1": {"test_cases.py::test_two": "passed"},
    }


@pytest.mark.parametrize(
    ("tests", "outcome"),
    [
        ({}, "not run"),
        ({"a": "skipped: why"}, "not run"),
        ({"a": "skipped: why", "b": "passed"}, "passed"),
        ({"a": "failed", "b": "passed"}, "failed"),
    ],
)
def test_a_row_is_shown_by_a_test_that_ran(tests: dict[str, str], outcome: str) -> None:
    assert outcome_of(Row("fault", "promise"), tests) == outcome
    assert outcome_of(Row("fault", "promise", "why"), tests) == "not covered: why"


def test_a_page_of_a_run_that_shows_too_little_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, written = tmp_path / "faults.json", tmp_path / "faults.md"
    rows = {str(name): {"t::a": "passed"} for name, row in ROWS.items() if not row.uncovered}
    report.write_text(json.dumps({"date": "2026-01-02", "rows": rows}))
    assert main([str(report), "--page", str(written)]) == 0
    assert "| 9 | " in written.read_text()
    rows["9"] = {"t::a": "failed"}
    del rows["S2"]
    report.write_text(json.dumps({"date": "2026-01-02", "rows": rows}))
    assert main([str(report), "--page", str(written)]) == 1
    assert capsys.readouterr().err == "row 9: failed\nrow S2: not run\n"


def test_each_line_of_the_page_is_a_row() -> None:
    lines = page("2026-01-02", {}).splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 2 + len(ROWS)
    assert "2026-01-02" in "".join(lines[:6])
