"""The guards of guards.toml."""

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import REPOSITORY

FILE = REPOSITORY / "tests" / "mutants" / "guards.toml"


@dataclass(frozen=True, slots=True)
class Guard:
    """`text`, which stands once in the module `path`, becomes `without`; then a test must fail."""

    name: str
    rows: tuple[int | str, ...]
    path: str
    text: str
    without: str
    tests: tuple[str, ...]

    @contextmanager
    def removed_from(self, root: Path, time: int = 1) -> Iterator[None]:
        """Remove the guard from a copy of the repository while the block runs.

        The module gets modification times from `time` on: compiled modules are told apart by it.
        Raises: LookupError.
        """
        module = root / self.path
        content = module.read_text(encoding="utf-8")
        if content.count(self.text) != 1:
            raise LookupError(f"{self.name}: {self.text!r} is not once in {self.path}")
        try:
            module.write_text(content.replace(self.text, self.without), encoding="utf-8")
            os.utime(module, (time, time))
            yield
        finally:
            module.write_text(content, encoding="utf-8")
            os.utime(module, (time + 1, time + 1))


def load(file: Path = FILE) -> tuple[Guard, ...]:
    """Read the guards."""
    with file.open("rb") as stream:
        found = tomllib.load(stream)["guard"]
    return tuple(
        Guard(**one | {"rows": tuple(one["rows"]), "tests": tuple(one["tests"])}) for one in found
    )
