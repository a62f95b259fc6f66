"""`python -m tests.mutants [NAME...]`: remove guards one by one, and expect a test to go red.

Each guard is removed from a copy of the repository; a survivor makes the exit code 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.guards import GUARDS, Guard
from tests.support.repository import REPOSITORY

COPIED = ("recommender", "workers", "tests", "config", "data_fixtures", "benchmarks")


def main(names: Sequence[str]) -> int:
    """Remove the named guards, or all, and print what their tests did."""
    chosen = [guard for guard in GUARDS if not names or guard.name in names]
    survivors = [guard.name for guard in chosen if not _caught(guard)]
    sys.stdout.write(f"{len(chosen) - len(survivors)} of {len(chosen)} caught\n")
    return 1 if survivors or not chosen else 0


def _caught(guard: Guard) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, root / name, ignore=ignored)
        shutil.copy(REPOSITORY / "pyproject.toml", root)
        guard.removed_from(root)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        ran = subprocess.run(
            [*command, guard.test],
            cwd=root,
            env=os.environ | {"PYTHONPATH": folder},
            capture_output=True,
            text=True,
        )
    # 1 is pytest's code for tests that failed; any other means that the test did not run.
    verdict = {0: "SURVIVED", 1: "caught"}.get(ran.returncode, f"NOT RUN, exit {ran.returncode}")
    sys.stdout.write(f"{verdict:9} row {guard.row}: {guard.name}: {guard.test}\n")
    sys.stdout.flush()
    return ran.returncode == 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
