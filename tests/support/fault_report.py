"""A pytest plugin that reports which rows of the fault matrix a run has shown.

It collects the outcome of every test marked `fault(rows)`. With `--faults FILE` it adds them to a
JSON file, so that several runs make one report, and `python -m tests.support.fault_report FILE`
writes docs/faults.md from it. A row counts as shown where a test of it ran and passed, and none
failed.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.fault_rows import ROWS, Row
from tests.support.repository import REPOSITORY

Outcomes = dict[str, dict[str, str]]
"""By row, the worst outcome of each of its tests: `failed`, `skipped: why` or `passed`."""

PAGE = REPOSITORY / "docs" / "faults.md"
_collected: Outcomes = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--faults FILE`."""
    parser.addoption("--faults", metavar="FILE", help="add outcomes of the fault matrix to FILE")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note the outcome of each phase of a test on its report, which may come from a worker."""
    outcome = yield
    rows = [str(row) for mark in item.iter_markers("fault") for row in mark.args]
    if rows:
        outcome.get_result().user_properties.append(("fault", rows))  # type: ignore[attr-defined]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the outcome of a test, the worst of its phases and parameters."""
    for name, rows in report.user_properties:
        if name == "fault" and (report.when == "call" or report.outcome != "passed"):
            for row in rows:  # type: ignore[attr-defined]
                _worsen(_collected.setdefault(row, {}), report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Add what was collected to the file of `--faults`."""
    path = session.config.getoption("--faults")
    if not path or hasattr(session.config, "workerinput"):
        return
    file = Path(path)
    known: Outcomes = json.loads(file.read_text())["rows"] if file.exists() else {}
    for row, tests in _collected.items():
        known.setdefault(row, {}).update(tests)
    content = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": known}
    file.write_text(json.dumps(content, indent=1, sort_keys=True))


def _worsen(tests: dict[str, str], report: pytest.TestReport) -> None:
    test = report.nodeid.partition("[")[0]
    found = report.outcome
    if report.skipped:
        found = f"skipped: {_reason(report)}"  # type: ignore[assignment]
    if _RANK[found[:7].strip(":")] >= _RANK[tests.get(test, "passed")[:7].strip(":")]:
        tests[test] = found


_RANK = {"passed": 0, "skipped": 1, "failed": 2}


def _reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def outcome_of(row: Row, tests: Mapping[str, str]) -> str:
    """`passed`, `failed`, `not covered: why`, or `not run` where no test ran to its end."""
    if row.uncovered:
        return f"not covered: {row.uncovered}"
    if any(found == "failed" for found in tests.values()):
        return "failed"
    return "passed" if "passed" in tests.values() else "not run"


def page(date: str, outcomes: Mapping[str, Mapping[str, str]]) -> str:
    """The page of the matrix, in Markdown."""
    lines = [
        "# Faults",
        "",
        "What goes wrong in earnest, what the engine promises then, and the tests that inject the "
        "fault and assert the",
        f"promise. This page was generated from a test run of {date} with `make faults`; numbers "
        "are faults, S numbers threats.",
        "",
        "| row | fault injected | promise | tests | outcome |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in ROWS.items():
        tests = outcomes.get(str(name), {})
        ran = [f"`{test}`" for test, found in sorted(tests.items()) if found == "passed"]
        cells = (str(name), row.fault, row.promise, "<br>".join(ran), outcome_of(row, tests))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page; 1 where a row was neither shown nor listed as not covered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    content = json.loads(options.file.read_text())
    options.page.write_text(page(content["date"], content["rows"]), encoding="utf-8")
    bad = {
        name: found
        for name, row in ROWS.items()
        if (found := outcome_of(row, content["rows"].get(str(name), {}))) in {"failed", "not run"}
    }
    for name, found in bad.items():
        sys.stderr.write(f"row {name}: {found}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
