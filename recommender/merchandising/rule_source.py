"""Rule source: the rule file of a shop as it was at one moment, and its replacement by another."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from recommender.errors import DataError
from recommender.merchandising.rule_file import MAX_BYTES
from recommender.merchandising.rule_text import RuleText

_BOM = "\ufeff"


@dataclass(frozen=True)
class RuleSource:
    """The bytes of a rule file. All that reads and writes it raises DataError."""

    path: Path
    raw: bytes

    @classmethod
    def read(cls, path: Path) -> "RuleSource":
        """The rule file of a path; a link is followed."""
        try:
            raw = path.read_bytes()
            place = path.resolve()
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from error
        if len(raw) > MAX_BYTES:
            raise DataError(f"{path}: {len(raw):,} bytes; a rule file has at most {MAX_BYTES:,}")
        return cls(place, raw)

    @property
    def digest(self) -> str:
        """The SHA-256 of the bytes, hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def document(self) -> RuleText:
        """The text, without a byte order mark."""
        try:
            return RuleText.of(self.raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: not UTF-8, byte {error.start}") from error
        except DataError as error:
            raise DataError(f"{self.path} {error}") from error

    def with_document(self, document: RuleText) -> "RuleSource":
        """The same file with another text."""
        mark = _BOM.encode() if self.raw.startswith(_BOM.encode()) else b""
        return replace(self, raw=mark + document.text.encode())

    def write(self) -> None:
        """Replace the file by these bytes, whole or not at all; its permissions stay."""
        try:
            write_whole(self.path, self.raw)
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror}") from error


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file, whole or not at all, with its permissions kept. Raises: OSError."""
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    staged = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(mode)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file of a path, so that one process changes it at a time. Raises: DataError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise DataError(f"{path} cannot be locked: {error.strerror}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
