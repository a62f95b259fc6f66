"""What the source may not contain, and what every module and failpoint needs."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from recommender.core import failpoints
from tests.support.repository import REPOSITORY

PACKAGES = ("recommender", "workers", "data_fixtures", "benchmarks")
SOURCES = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]

BANNED = (
    r"\bpickle\.loads?\b",
    r"\btorch\.load\b",
    r"\bjoblib\b",
    r"allow_pickle=True",
    r"\byaml\.load\(",
    r"\beval\((?!uate)",
    r"\bexec\(",
    r"trust_remote_code=True",
    r"shell=True",
    r"\bread_index\b",
)


@pytest.mark.parametrize("pattern", BANNED)
def test_nothing_that_runs_what_it_loads(pattern: str) -> None:
    assert len(SOURCES) > 40
    found = [
        f"{path}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line) and "store.eval" not in line
    ]
    assert found == []


def test_every_failpoint_is_passed_somewhere_and_known() -> None:
    hits = {
        name
        for path in SOURCES
        for name in re.findall(r'failpoints\.hit\("([^"]+)"\)', path.read_text())
    }
    assert hits == failpoints.NAMES


def test_every_failpoint_is_tested() -> None:
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    assert {name for name in failpoints.NAMES if name in tests} == failpoints.NAMES


# The house

MODULES = [path.relative_to(REPOSITORY) for path in SOURCES if path.parts[-1] != "__init__.py"]
MODULES = [path for path in MODULES if path.parts[0] in {"recommender", "workers"}]

UNTESTED = {
    "recommender/core/generation.py": "a record without behaviour",
    "recommender/insights/diagnosis.py": "a record without behaviour",
}
"""Modules without a test file of their name, and why."""

ACROSS = {
    "tests/cli/test_databases.py",
    "tests/cli/test_secrets.py",
    "tests/console/test_browser.py",
    "tests/publishing/test_swaps_under_load.py",
    "tests/readers/test_real_data.py",
    "tests/readers/test_round_trips.py",
    "tests/service/test_fuzzing.py",
    "tests/service/test_real_lookup.py",
    "tests/serving/test_leaks.py",
    "tests/serving/test_schemas.py",
    "tests/serving/test_store_losses.py",
    "tests/workers/test_fleet.py",
    "tests/workers/test_fleet_faults.py",
    "tests/workers/test_rabbit.py",
    "tests/workers/test_worker.py",
}
"""Tests of a whole room rather than of one of its modules."""

LONGEST = 300
ROOMS_MOST = 24
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def file_of_tests(module: Path) -> Path:
    """`recommender/a/b.py` is tested in `tests/a/test_b.py`, `workers/b.py` in `tests/workers/`."""
    room = Path(*module.parent.parts[module.parts[0] == "recommender" :])
    return Path("tests", room, f"test_{module.stem.strip('_')}.py")


def test_every_module_has_its_test_file() -> None:
    missing = {str(one) for one in MODULES if not (REPOSITORY / file_of_tests(one)).exists()}
    assert missing - UNTESTED.keys() == set()
    assert UNTESTED.keys() - missing == set(), "these have a test file, or are gone"


def test_every_test_file_of_a_room_has_its_module() -> None:
    """A module that is moved or renamed takes its tests along.

    `test_b_fault.py` is a part of `test_b.py` that is too long for one file.
    """
    expected = {file_of_tests(module) for module in MODULES}
    strays = {
        str(path.relative_to(REPOSITORY))
        for room in {file.parent for file in expected} - {Path("tests")}
        for path in (REPOSITORY / room).glob("test_*.py")
        if not any(path.stem.startswith(file.stem) for file in expected if file.parent == room)
    }
    assert strays - ACROSS == set()
    assert ACROSS - strays == set(), "these have a module, or are gone: remove the entries"


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    folders = {path.parent for path in (REPOSITORY / "tests").rglob("test_*.py")}
    left_out = pytestconfig.getini("norecursedirs")
    assert [folder for folder in folders for name in left_out if fnmatch(folder.name, name)] == []


def test_no_module_is_too_long() -> None:
    long = {
        str(path.relative_to(REPOSITORY))
        for path in SOURCES
        if path.relative_to(REPOSITORY).parts[0] in {"recommender", "workers"}
        and len(path.read_text().splitlines()) > LONGEST
    }
    assert long == set()


def test_names_say_what_a_module_holds() -> None:
    tests = (REPOSITORY / "tests").rglob("*.py")
    paths = [path.relative_to(REPOSITORY) for path in (*SOURCES, *tests)]
    assert [path for path in paths if VAGUE & {*path.parts[:-1], path.stem}] == []


def test_the_ground_floor_is_small() -> None:
    skipped = {"__pycache__", "__init__.py", "py.typed"}
    entries = {path.name for path in (REPOSITORY / "recommender").iterdir()} - skipped
    assert len(entries) <= ROOMS_MOST


# Time


CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "timed"}
TIMED = {
    "publishing/test_publisher.py::"
    "test_a_publisher_does_not_wait_for_ever_for_a_server_that_is_silent": "20 x the timeout",
    "serving/test_aio.py::"
    "test_a_reply_that_breaks_is_replaced_before_the_deadline": "20 x the deadline",
    "serving/test_aio.py::test_waiting_for_a_server_that_is_away_ends": "20 x the time given",
    "serving/test_reader.py::"
    "test_a_name_that_is_never_resolved_costs_the_deadline": "40 x the deadline",
    "serving/test_reader.py::test_a_refused_port_is_degraded_at_once": "20 x the deadline",
    "serving/test_reader.py::"
    "test_a_reply_that_breaks_is_replaced_before_the_deadline": "20 x the deadline",
    "serving/test_reader.py::"
    "test_a_server_that_never_answers_costs_the_deadline_five_times": "40 x the deadline",
    "serving/test_reader.py::"
    "test_a_slow_server_costs_no_more_than_the_deadline": "40 x the deadline or 200 x the latency",
    "serving/test_reader.py::"
    "test_many_threads_do_not_storm_a_server_that_is_down": "counts what came in a period",
    "serving/test_reader.py::"
    "test_of_many_addresses_none_is_tried_on_the_request_path": "40 x the deadline",
    "serving/test_reader.py::test_waiting_for_a_server_that_is_away_ends": "20 x the time given",
    "serving/test_store_losses.py::watched": "20 x the deadline, 60 x for three answers",
    "topologies/test_cluster.py::test_a_dead_shard_takes_only_its_own_lists": "20 x the deadline",
    "topologies/test_cluster.py::"
    "test_a_silent_shard_costs_the_deadline_until_it_is_left_alone": "20 x the deadline",
    "workers/test_fleet_faults.py::"
    "test_the_store_is_killed_and_empty": "orders moments, bounds none",
}
"""Tests that compare times, and by which margin of 20 or more; all others count instead."""


def reads_a_clock(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression calls a clock, or uses a name that was assigned from one."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            called = part.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in CLOCKS:
                return True
        if isinstance(part, ast.Name) and part.id in names:
            return True
    return False


def clock_names(function: ast.AST) -> set[str]:
    """The names in a function that hold a time or times measured."""
    names: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and reads_a_clock(node.value, set()):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            held = node.func.value
            measured = any(reads_a_clock(given, names) for given in node.args)
            if measured and node.func.attr == "append" and isinstance(held, ast.Name):
                names.add(held.id)
    return names


def timed_asserts(path: Path) -> Iterator[str]:
    """The functions of a test file that compare a measured time in an assert."""
    for function in ast.parse(path.read_text()).body:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = clock_names(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and any(
                isinstance(part, ast.Compare) and reads_a_clock(part, names)
                for part in ast.walk(node.test)
            ):
                yield f"{path.relative_to(REPOSITORY / 'tests')}::{function.name}"


def test_tests_count_instead_of_timing() -> None:
    found = {name for path in (REPOSITORY / "tests").rglob("*.py") for name in timed_asserts(path)}
    assert found - TIMED.keys() == set()
    assert TIMED.keys() - found == set(), "these time nothing: remove the entries"
