"""Audit log: who changed what, why and when, as lines of JSON that are only ever added."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recommender.errors import DataError

MAX_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line: an action and its `state`; lines of one `id` are stages of one action.

    `before` and `after` say what was changed, such as digests; `at` is a UTC time.
    """

    who: str
    what: str
    state: str = "done"
    reason: str = ""
    before: str = ""
    after: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The audit log of one shop in a folder. Raises: DataError."""

    folder: Path
    shop: str

    @property
    def path(self) -> Path:
        """The file of the log."""
        return self.folder / f"{self.shop}.jsonl"

    def append(self, entry: AuditEntry) -> None:
        """Add an entry; it is on disk when this returns.

        A line that a crash cut off is ended first, so that it spoils no other.
        """
        line = json.dumps(asdict(entry), ensure_ascii=True).encode() + b"\n"
        if len(line) > MAX_LINE:
            raise DataError(f"{self.path}: an entry of {len(line):,} bytes; make smaller changes")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                size = os.fstat(descriptor).st_size
                cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                with os.fdopen(os.dup(descriptor), "ab") as file:
                    file.write(b"\n" * cut + line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror}") from error

    def entries(self) -> Iterator[AuditEntry]:
        """The entries, oldest first; lines that are none are passed over."""
        try:
            with self.path.open("rb") as file:
                for line in file:
                    if entry := _entry(line):
                        yield entry
        except FileNotFoundError:
            return
        except OSError as error:
            raise DataError(f"{self.path}: {error.strerror}") from error


def _entry(line: bytes) -> AuditEntry | None:
    """The entry of a line, None for one that was cut off."""
    try:
        return AuditEntry(**json.loads(line))
    except (ValueError, TypeError):
        return None
