"""Input files: where they are, their format and fingerprint."""

import glob
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recommender.core.redaction import redacted_url
from recommender.errors import ConfigError, DataError
from recommender.readers.compression import COMPRESSIONS, Compression, member
from recommender.readers.layouts import FileFormat, Format
from recommender.readers.sources import Names, paths

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "txt",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xml": "xml",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
}
_BINARY = {"xlsx", "parquet"}
"""Formats that are compressed themselves, and number rows in place of lines."""

Found = tuple[str, Path]
"""A file as messages show it, and where it is."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of a source.

    `setting` is the table of the settings that names the file (`catalogue`, `interactions.1`),
    `number` its position there, and `shown` its path as the settings write it.
    """

    setting: str
    number: int
    shown: str
    path: Path
    format: Format
    compression: Compression = ""

    @property
    def key(self) -> str:
        """The name of this input: `catalogue.0`, `interactions.1.0`."""
        return f"{self.setting}.{self.number}"

    @property
    def unit(self) -> str:
        """The word for a numbered row of the file in messages."""
        return "row" if self.format in _BINARY else "line"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The content of a file at one time; `state` changes with every write to the file."""

    sha256: str
    size: int
    state: tuple[int, int, int]


def _refused(url: str) -> list[Found]:
    raise ConfigError(f"{redacted_url(url)}: only files of this machine are read here")


def input_files(
    path: Names,
    base: Path,
    setting: str,
    given: FileFormat = "",
    fetched: Callable[[str], list[Found]] = _refused,
) -> tuple[InputFile, ...]:
    """The files that `path` names, relative to `base`; they need not exist.

    A folder means its files of a known format, and a pattern such as `orders-*.csv` for the
    files that match, both in the order of their names. `given` is the format of all files, "" for
    what the endings say. `fetched` has the local copies of a URL.

    Raises: ConfigError where the ending of a file name is not one of a known format.
    """
    found: list[Found] = []
    for one in paths(path):
        found += fetched(one) if "://" in one else expanded(one, base)
    return tuple(
        InputFile(setting, number, shown, place, *_format(shown, place, given))
        for number, (shown, place) in enumerate(found)
    )


def expanded(shown: str, base: Path) -> list[Found]:
    """The files of a folder or a pattern, or the path itself."""
    path = base / shown
    if path.is_dir():
        found = [each for each in path.rglob("*") if each.is_file() and is_input(each.name)]
    elif not path.exists() and glob.has_magic(shown):
        anchor = Path(shown).anchor
        found = list((Path(anchor) if anchor else base).glob(shown.removeprefix(anchor)))
    else:
        return [(shown, path)]
    names = sorted(
        str(each.relative_to(base) if each.is_relative_to(base) else each)
        for each in found
        if each.is_file()
    )
    return [(name, base / name) for name in names or [shown]]


def is_input(name: str) -> bool:
    """Whether a file of a folder is read, by its name: not Spark's `_SUCCESS`, for one."""
    file_format, compression = _ending(name)
    return not name.startswith(("_", ".")) and bool(file_format or compression == "zip")


def _ending(name: str) -> tuple[Format | None, Compression]:
    endings = [ending.lower() for ending in Path(name).suffixes[-2:]]
    compression = COMPRESSIONS.get("".join(endings[-1:]), "")
    return _FORMATS.get("".join(endings[:-1][-1:] if compression else endings[-1:])), compression


def _format(shown: str, path: Path, given: FileFormat) -> tuple[Format, Compression]:
    file_format, compression = _ending(path.name)
    if compression == "zip" and not (file_format or given) and path.is_file():
        file_format = _ending(member(path, shown))[0]
    file_format = given or file_format
    if file_format is None or (compression and file_format in _BINARY):
        raise ConfigError(
            f"{shown}: unknown file format; use {', '.join(_FORMATS)} "
            f"(the text formats also with {', '.join(COMPRESSIONS)}), or set format, such as "
            'format = "csv"'
        )
    return file_format, compression


def require_files(files: tuple[InputFile, ...]) -> None:
    """Check that all files exist. Raises: ConfigError for a missing file or a folder."""
    for file in files:
        if file.path.is_dir():
            raise ConfigError(f"{file.shown} is a folder without a file of a known format")
        if not file.path.exists():
            raise ConfigError(f"{file.shown}: no such file (looked for {file.path.absolute()})")


def described(file: InputFile) -> Fingerprint:
    """The state of a file without its digest. Raises: ConfigError where it is missing."""
    require_files((file,))
    state = _state(file.path)
    return Fingerprint("", state[0], state)


def fingerprint(file: InputFile) -> Fingerprint:
    """Digest and state of a file. Raises: ConfigError where it is missing or not readable."""
    require_files((file,))
    state = _state(file.path)
    try:
        with file.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except PermissionError as error:
        raise ConfigError(
            f"{file.shown} may not be read by this user; change its permissions"
        ) from error
    return Fingerprint(digest, state[0], state)


@contextmanager
def unchanged(file: InputFile, before: Fingerprint) -> Iterator[None]:
    """Check a file after it was read. Raises: DataError where it changed in the meantime."""
    fault = None
    try:
        yield
    except DataError as error:
        fault = error
    if not file.path.exists() or _state(file.path) != before.state:
        raise DataError(f"{file.shown}: the file changed while it was read; try again") from fault
    if fault:
        raise fault


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino
