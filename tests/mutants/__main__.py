"""`python -m tests.mutants [NAME...]`: remove guards one by one, and expect a test to fail.

The guards are removed from a copy of the repository, in which their tests must pass first. Each
set of tests runs in a fork, into which the slow imports of pytest are done already. A survivor
makes the exit code 1. `--page FILE` writes what was found.
"""

import argparse
import importlib
import os
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.mutants.guards import Guard, load
from tests.support.fault_rows import ROWS
from tests.support.repository import REPOSITORY

COPIED = ("recommender", "workers", "tests", "config", "data_fixtures", "benchmarks", "docs")
SLOW = (
    *("pytest", "hypothesis.strategies", "pandas", "scipy.sparse", "scipy.stats", "pydantic"),
    *("redis", "fastapi.testclient", "celery", "jinja2"),
)
"""None of them computes with threads, which would not survive a fork."""
OPTIONS = (
    *("-q", "-x", "-p", "no:cacheprovider", "-p", "pytest_timeout"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of what is imported already
)
WITHOUT_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
FIRST_FAILURE = re.compile(r"^FAILED (?:tests/)?([^\s[]+)", re.MULTILINE)


def main(arguments: Sequence[str]) -> int:
    """Remove the named guards, or all, and print what their tests did."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args(arguments)
    chosen = [guard for guard in load() if not options.names or guard.name in options.names]
    for module in SLOW:
        importlib.import_module(module)
    failed: dict[Guard, str] = {}
    with copy() as root:
        if said := failures(root, sorted({test for guard in chosen for test in guard.tests})):
            sys.stderr.write(f"before anything is removed: {said}\n")
            return 1
        for number, guard in enumerate(chosen):
            with guard.removed_from(root, 2 * number + 1):
                failed[guard] = failures(root, guard.tests)
            sys.stdout.write(f"{guard.name}: {failed[guard] or 'SURVIVED'}\n")
            sys.stdout.flush()
    caught = sum(map(bool, failed.values()))
    sys.stdout.write(f"{caught} of {len(chosen)} caught\n")
    if options.page:
        options.page.write_text(page(failed), encoding="utf-8")
    return 0 if chosen and caught == len(chosen) else 1


@contextmanager
def copy() -> Iterator[Path]:
    """A copy of the repository in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, root / name, ignore=ignored)
        for file in REPOSITORY.iterdir():
            if file.is_file():
                shutil.copy(file, root)
        yield root


def failures(root: Path, tests: Sequence[str]) -> str:
    """The first of the tests that fails, "" where all pass.

    Raises: RuntimeError where they did not run.
    """
    with tempfile.TemporaryFile("w+") as output:
        pid = os.fork()
        if not pid:
            _run(root, tests, output.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output.seek(0)
        said = output.read()
    failed = FIRST_FAILURE.search(said)
    if code == 0:
        return ""
    # 1 is pytest's code for tests that failed; a fixture that fails shows nothing.
    if code != 1 or not failed:
        raise RuntimeError(f"pytest {' '.join(tests)}: exit code {code}\n{said[-3000:]}")
    return failed[1]


def _run(root: Path, tests: Sequence[str], output: int) -> None:
    """Run tests of a copy; never returns."""
    code = 3
    try:
        for stream in (1, 2):
            os.dup2(output, stream)
        ours = {*COPIED}
        for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
            del sys.modules[name]
        os.chdir(root)
        os.environ["PYTHONPATH"] = sys.path[0] = str(root)
        os.environ[WITHOUT_PLUGINS] = "1"  # to start in no time
        import pytest

        code = pytest.main([*OPTIONS, *tests], plugins=[Plugins()])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Plugins:
    """A plugin of pytest by which what a test starts has all plugins again."""

    def pytest_configure(self) -> None:
        """Runs when the plugins of this process are loaded."""
        del os.environ[WITHOUT_PLUGINS]


def page(failed: Mapping[Guard, str]) -> str:
    """The page of the guards, in Markdown."""
    by_row = {name: [guard for guard in failed if name in guard.rows] for name in ROWS}
    lines = [
        "# Guards",
        "",
        "What happens where a guard behind a row of the [fault matrix](faults.md) is removed. "
        "`make mutants` generated this page",
        f"on {datetime.now(UTC):%Y-%m-%d}: it removed {len(failed)} guards one by one, and "
        f"{sum(map(bool, failed.values()))} were noticed by a test. "
        "[guards.toml](../tests/mutants/guards.toml)",
        "has what was removed.",
        "",
        "| row | guard | module | test that failed |",
        "| --- | --- | --- | --- |",
    ]
    for name, guards in by_row.items():
        for guard in guards:
            verdict = f"`{failed[guard]}`" if failed[guard] else "none"
            lines.append(f"| {name} | {guard.name} | `{guard.path}` | {verdict} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
