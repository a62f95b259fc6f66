"""Input files: their format and fingerprint, and the decoded lines of text files."""

import codecs
import glob
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, StringIO, TextIOWrapper
from pathlib import Path
from typing import Literal, cast

from recommender.errors import ConfigError, DataError
from recommender.readers.sources import Names, paths

MAX_LINE = 16 * 2**20
_CHUNK = 2**20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Format = Literal["csv", "tsv", "txt", "json", "jsonl", "xml", "parquet"]
_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "txt",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xml": "xml",
    ".parquet": "parquet",
}


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
    compressed: bool

    @property
    def key(self) -> str:
        """The name of this input: `catalogue.0`, `interactions.1.0`."""
        return f"{self.setting}.{self.number}"

    @property
    def unit(self) -> str:
        """The word for a numbered row of the file in messages."""
        return "row" if self.format == "parquet" else "line"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The content of a file at one time; `state` changes with every write to the file."""

    sha256: str
    size: int
    state: tuple[int, int, int]


def input_files(
    path: Names, base: Path, setting: str, given: Format | Literal[""] = ""
) -> tuple[InputFile, ...]:
    """The files that `path` names, relative to `base`; they need not exist.

    A folder means its files of a known format, and a pattern such as `orders-*.csv` for the
    files that match, both in the order of their names. `given` is the format of all files, "" for
    what the endings say.

    Raises: ConfigError where the ending of a file name is not one of a known format, and for URLs.
    """
    shown = [each for one in paths(path) for each in _expanded(one, base)]
    return tuple(
        InputFile(setting, number, name, base / name, *_format(name, given))
        for number, name in enumerate(shown)
    )


def _expanded(shown: str, base: Path) -> list[str]:
    """The files of a folder or a pattern, or the path itself."""
    if "://" in shown:
        raise ConfigError(f"{shown}: inputs are files of this machine; copy it here, and name that")
    path = base / shown
    if path.is_dir():
        found = [
            each
            for each in path.rglob("*")
            if each.is_file() and not each.name.startswith(("_", ".")) and _ending(each.name)[0]
        ]
    elif not path.exists() and glob.has_magic(shown):
        anchor = Path(shown).anchor
        found = list((Path(anchor) if anchor else base).glob(shown.removeprefix(anchor)))
    else:
        return [shown]
    names = sorted(
        str(each.relative_to(base) if each.is_relative_to(base) else each)
        for each in found
        if each.is_file()
    )
    return names or [shown]


def _ending(name: str) -> tuple[Format | None, bool]:
    endings = [ending.lower() for ending in Path(name).suffixes[-2:]]
    compressed = endings[-1:] == [".gz"]
    return _FORMATS.get("".join(endings[:-1][-1:] if compressed else endings[-1:])), compressed


def _format(shown: str, given: Format | Literal[""]) -> tuple[Format, bool]:
    by_ending, compressed = _ending(shown)
    file_format = given or by_ending
    if file_format is None or (compressed and file_format == "parquet"):
        raise ConfigError(
            f"{shown}: unknown file format; use {', '.join(_FORMATS)} "
            '(the text formats also with .gz), or set format, such as format = "csv"'
        )
    return file_format, compressed


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


class TextLines:
    """The decoded lines of a text file, numbered from 1, each with its line ending.

    While they are read, `number` is the number of the last line, `characters` the length of all
    lines so far, and `undecodable` the number of the last line with bytes outside the `encoding`.
    `shown` is the path for messages.
    """

    def __init__(
        self, raw: BufferedReader, text: TextIOWrapper, shown: str, encoding: str, newline: str
    ) -> None:
        self.number = 0
        self.characters = 0
        self.undecodable = 0
        self.shown = shown
        self.encoding = encoding
        self._raw = raw
        self._text = text
        self._newline = newline

    def __iter__(self) -> Iterator[str]:
        for chunk in self._chunks():
            suspect = not is_unicode(chunk)
            for line in StringIO(chunk, self._newline):
                self.number += 1
                self.characters += len(line)
                if suspect and not is_unicode(line):
                    self.undecodable = self.number
                yield line

    def position(self) -> int:
        """The number of bytes of the file, compressed or not, that were read so far."""
        return self._raw.tell()

    def _chunks(self) -> Iterator[str]:
        """Whole lines, about a million characters at a time."""
        rest = ""
        while chunk := self._read():
            end = chunk.rfind("\n") + 1
            if end:
                yield rest + chunk[:end]
                rest = chunk[end:]
            else:
                rest += chunk
            if len(rest) > MAX_LINE:
                raise DataError(
                    f"{self.shown} line {self.number + 1:,}: longer than {MAX_LINE:,} "
                    "characters; is this a text file with line endings?"
                )
        if rest:
            yield rest

    def _read(self) -> str:
        try:
            return self._text.read(_CHUNK)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.shown}: not {self.encoding} after line {self.number:,}; export it again"
            ) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self.shown}: the gzip file is broken or cut short after line "
                f"{self.number:,}; export it again"
            ) from error


@contextmanager
def open_lines(file: InputFile, encoding: str, newline: str) -> Iterator[TextLines]:
    """Open a text file; `newline` as for `open`. Raises: DataError where it is binary."""
    with file.path.open("rb") as raw:
        stream = cast("BufferedReader", gzip.GzipFile(fileobj=raw)) if file.compressed else raw
        codec = codecs.lookup(encoding).name
        if _is_utf_16(file, stream, codec):
            codec, name = "utf-16", "UTF-16"
        else:
            is_utf8 = codec in {"utf-8", "utf-8-sig"}
            codec, name = ("utf-8-sig", "UTF-8") if is_utf8 else (encoding, encoding)
        with TextIOWrapper(stream, codec, errors="surrogateescape", newline=newline) as text:
            yield TextLines(raw, text, file.shown, name, newline)


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogates, which replace bytes that do not decode."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_utf_16(file: InputFile, stream: BufferedReader, codec: str) -> bool:
    """Whether a file is UTF-16, as it says itself. Raises: DataError where it is binary."""
    try:
        head = stream.peek(4)[:4]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{file.shown} is not a gzip file, or a broken one; export it again"
        ) from error
    if codec == "utf-16" or head.startswith(_UTF_16):
        return True
    if b"\0" in head:
        raise DataError(f"{file.shown} looks binary, or like UTF-16; save it as UTF-8 text")
    return False
