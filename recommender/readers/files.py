"""Input files: their place, format and fingerprint."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recommender.errors import ConfigError, DataError
from recommender.readers.sources import Names, paths

Format = Literal["csv", "tsv", "jsonl", "parquet"]
_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of a source.

    `setting` is the table of the settings that names it (`catalogue`, `interactions.1`), `number`
    its place there; `shown` is its path as the settings have it.
    """

    setting: str
    number: int
    shown: str
    path: Path
    format: Format
    compressed: bool

    @property
    def key(self) -> str:
        """The name of this input: `catalogue.0`, `interactions.1.0`."""
        return f"{self.setting}.{self.number}"

    @property
    def unit(self) -> str:
        """What its rows are numbered by."""
        return "row" if self.format == "parquet" else "line"

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file held when it was looked at; `state` changes whenever somebody writes to it."""

    sha256: str
    size: int
    state: tuple[int, int, int]


def located(path: Names, base: Path, setting: str) -> tuple[InputFile, ...]:
    """The files that `path` names, relative to `base`; they need not exist.

    Raises: ConfigError where the ending of a name says no known format.
    """
    return tuple(
        InputFile(setting, number, shown, base / shown, *_format(shown))
        for number, shown in enumerate(paths(path))
    )


def _format(shown: str) -> tuple[Format, bool]:
    endings = [ending.lower() for ending in Path(shown).suffixes[-2:]]
    compressed = endings[-1:] == [".gz"]
    ending = "".join(endings[:-1][-1:] if compressed else endings[-1:])
    file_format = _FORMATS.get(ending)
    if file_format is None or (compressed and file_format == "parquet"):
        raise ConfigError(
            f"{shown}: its ending names no known format; "
            f"use {', '.join(_FORMATS)} (the text formats also with .gz)"
        )
    return file_format, compressed


def require_files(files: tuple[InputFile, ...]) -> None:
    """Refuse what is not there. Raises: ConfigError for a missing file or a folder."""
    for file in files:
        if file.path.is_dir():
            raise ConfigError(f"{file.shown} is a folder; name the files in it")
        if not file.path.exists():
            raise ConfigError(f"{file.shown}: no such file (looked for {file.path.absolute()})")


def fingerprint(file: InputFile) -> Fingerprint:
    """Digest and state of a file. Raises: ConfigError where it is missing or may not be read."""
    require_files((file,))
    state = _state(file.path)
    try:
        with file.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except PermissionError as error:
        raise ConfigError(f"{file.shown} may not be read by this user; change its mode") from error
    return Fingerprint(digest, state[0], state)


@contextmanager
def unchanged(file: InputFile, before: Fingerprint) -> Iterator[None]:
    """Guard the reading of a file. Raises: DataError where it was written to meanwhile."""
    try:
        yield
    except DataError as error:
        _require_state(file, before, error)
        raise
    _require_state(file, before, None)


def _require_state(file: InputFile, before: Fingerprint, cause: DataError | None) -> None:
    if not file.path.exists() or _state(file.path) != before.state:
        raise DataError(f"{file.shown}: the file changed while it was read; try again") from cause


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino
