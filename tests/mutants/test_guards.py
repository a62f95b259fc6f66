"""Every listed guard is in the code, and its test and row exist; `make test-long` removes each."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.guards import GUARDS, Guard
from tests.support.fault_rows import ROWS
from tests.support.repository import REPOSITORY


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_is_where_it_is_said_to_be(guard: Guard) -> None:
    assert (REPOSITORY / guard.path).read_text().count(guard.text) == 1
    file, _, test = guard.test.partition("::")
    assert f"def {test}" in (REPOSITORY / file).read_text()
    assert guard.row in ROWS


def test_names_are_distinct() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_removal_of_a_guard_is_noticed(guard: Guard) -> None:
    assert main([guard.name]) == 0


def test_a_guard_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(LookupError, match="is not once in"):
        Guard("gone", 1, "a.py", "y = 2", "", "tests/a.py").removed_from(tmp_path)
