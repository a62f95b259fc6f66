"""Every guard is in the code, and its tests and rows exist; `make test-long` removes each."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import main, page
from tests.mutants.guards import Guard, load
from tests.support.fault_rows import ROWS
from tests.support.repository import REPOSITORY

GUARDS = load()


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_is_where_it_is_said_to_be(guard: Guard) -> None:
    assert (REPOSITORY / guard.path).read_text().count(guard.text) == 1
    assert guard.text != guard.without
    assert set(guard.rows) <= set(ROWS)
    for node in guard.tests:
        file, _, test = node.partition("::")
        assert f"def {test.partition('[')[0]}" in (REPOSITORY / file).read_text()


def test_names_are_distinct_and_rows_have_guards() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= 60
    guarded = {row for guard in GUARDS for row in guard.rows}
    assert guarded == {name for name, row in ROWS.items() if not row.uncovered}


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_removal_of_each_guard_is_noticed() -> None:
    assert main([]) == 0


def test_a_guard_is_removed_and_put_back(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    guard = Guard("one", (1,), "a.py", "x = 1", "x = 2", ("tests/a.py",))
    with guard.removed_from(tmp_path):
        assert (tmp_path / "a.py").read_text() == "x = 2\n"
    assert (tmp_path / "a.py").read_text() == "x = 1\n"
    gone = Guard("gone", (1,), "a.py", "y = 2", "", ("tests/a.py",))
    with pytest.raises(LookupError, match="is not once in"), gone.removed_from(tmp_path):
        pass


def test_a_page_names_guards_and_tests() -> None:
    shown = page({GUARDS[0]: "a.py::b", GUARDS[1]: ""})
    assert f"| {GUARDS[0].name} | `{GUARDS[0].path}` | `a.py::b` |" in shown
    assert "it removed 2 guards one by one, and 1 were noticed by a test." in shown
