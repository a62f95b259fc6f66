"""A pytest plugin that reports which rows of the fault matrix a run has shown.

It collects the outcome of every test marked `fault(rows)`, and the seconds that the fixture
`recovery` timed. With `--faults FILE` it adds them to a JSON file, so that several runs make one
report. `python -m tests.support.fault_report FILE` writes docs/faults.md from it, and `--check`
only judges it. A row counts as shown where a test of it ran and passed, and none failed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import pytest

from tests.support.fault_rows import ROWS, Row
from tests.support.repository import REPOSITORY

PAGE = REPOSITORY / "docs" / "faults.md"
RANK = {"passed": 0, "skipped": 1, "failed": 2}


@dataclass(slots=True)
class Found:
    """The worst outcome of a test under any of its parameters, and the recoveries it timed."""

    outcome: str = "passed"
    reason: str = ""
    recoveries_s: list[float] = field(default_factory=list)


Outcomes = dict[str, dict[str, Found]]
"""By row, what was found by each of its tests."""
Recovery = Callable[[], AbstractContextManager[None]]

_collected: Outcomes = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--faults FILE`."""
    parser.addoption("--faults", metavar="FILE", help="add outcomes of the fault matrix to FILE")


@pytest.fixture
def recovery(record_property: Callable[[str, object], None]) -> Recovery:
    """Times a block that begins when a fault ends and ends when all is well again."""

    @contextmanager
    def timed() -> Iterator[None]:
        began = time.monotonic()
        yield
        record_property("recovery_s", time.monotonic() - began)

    return timed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note the rows of a test on its report, which may come from a worker of pytest-xdist."""
    outcome = yield
    rows = [str(row) for mark in item.iter_markers("fault") for row in mark.args]
    if rows:
        outcome.get_result().user_properties.append(("fault", rows))  # type: ignore[attr-defined]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect what was found in one phase of a test."""
    properties = dict(report.user_properties)
    if "fault" not in properties or (report.when != "call" and report.passed):
        return
    took = [float(str(value)) for name, value in report.user_properties if name == "recovery_s"]
    reason = _reason(report) if report.skipped else ""
    found = Found(report.outcome, reason, took)
    for row in properties["fault"]:  # type: ignore[attr-defined]
        _add(_collected.setdefault(row, {}), report.nodeid.partition("[")[0], found)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Add what was collected to the file of `--faults`."""
    path = session.config.getoption("--faults")
    if path and not hasattr(session.config, "workerinput"):
        known = read(Path(path))[1] if Path(path).exists() else {}
        for row, tests in _collected.items():
            known.setdefault(row, {}).update(tests)
        write(Path(path), known)


def _add(tests: dict[str, Found], test: str, found: Found) -> None:
    known = tests.setdefault(test, Found())
    known.recoveries_s += found.recoveries_s
    if RANK[found.outcome] >= RANK[known.outcome]:
        known.outcome, known.reason = found.outcome, found.reason


def _reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def write(file: Path, outcomes: Outcomes) -> None:
    """Write a report with today's date."""
    rows = {
        row: {test: asdict(found) for test, found in tests.items()}
        for row, tests in outcomes.items()
    }
    content = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": rows}
    file.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def read(file: Path) -> tuple[str, Outcomes]:
    """The date and the outcomes of a report."""
    content = json.loads(file.read_text(encoding="utf-8"))
    rows = content["rows"]
    return content["date"], {
        row: {test: Found(**found) for test, found in tests.items()} for row, tests in rows.items()
    }


def outcome_of(row: Row, tests: Mapping[str, Found]) -> str:
    """`passed`, `failed`, `not covered: why`, or `not run` where no test ran to its end."""
    if row.uncovered:
        return f"not covered: {row.uncovered}"
    outcomes = {found.outcome for found in tests.values()}
    if "failed" in outcomes:
        return "failed"
    return "passed" if "passed" in outcomes else "not run"


def page(date: str, outcomes: Mapping[str, Mapping[str, Found]]) -> str:
    """The page of the matrix, in Markdown."""
    lines = [
        "# Faults",
        "",
        "Each row is a fault, what the engine promises when it occurs, and the tests that inject "
        "it and assert the promise.",
        "S rows are threats. `make faults` generated this page from a run of these tests on "
        f"{date}; recovery is the mean",
        "time from the end of the fault until all was well again, where a test timed it. "
        "[guards.md](guards.md) names the",
        "guards behind the rows, and the tests that failed when a guard was removed.",
        "",
        "| row | fault injected | promise | tests | recovery | outcome |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in ROWS.items():
        tests = outcomes.get(str(name), {})
        ran = {test: found for test, found in sorted(tests.items()) if found.outcome == "passed"}
        took = [second for found in ran.values() for second in found.recoveries_s]
        cells = (
            str(name),
            row.fault,
            row.promise,
            "<br>".join(f"`{test.removeprefix('tests/')}`" for test in ran),
            f"{fmean(took):.1f} s" if took else "",
            outcome_of(row, tests),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page; 1 where a row was neither shown nor listed as not covered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--check", action="store_true", help="write no page")
    options = parser.parse_args(arguments)
    date, outcomes = read(options.file)
    if not options.check:
        options.page.write_text(page(date, outcomes), encoding="utf-8")
    bad = {
        name: found
        for name, row in ROWS.items()
        if (found := outcome_of(row, outcomes.get(str(name), {}))) in {"failed", "not run"}
    }
    for name, found in bad.items():
        reasons = sorted({one.reason for one in outcomes.get(str(name), {}).values()} - {""})
        sys.stderr.write(f"row {name}: {found}{''.join(f' ({why})' for why in reasons)}\n")
    if bad:
        sys.stderr.write(
            "each row of tests/support/fault_rows.py needs a test that runs and passes here, or a "
            "reason in `uncovered`\n"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
