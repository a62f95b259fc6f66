"""Audit log: who changed what of a shop, from what to what, as JSON lines that are appended.

A line has `at` (UTC), `who`, `what`, `about`, `before`, `after` and `failed`. The file is opened
before the change, so that nothing changes that cannot be recorded, and each line is synced.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recommender.errors import ArtifactError

READ_BYTES = 1 << 20
"""How much of the end of the file is read for the newest entries."""


@dataclass
class Change:
    """A change under way: what it is, and the state before and after it."""

    what: str
    about: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The audit log in a file, which any number of processes append to."""

    path: Path

    @contextmanager
    def change(
        self, who: str, what: str, about: Mapping[str, Any], before: Mapping[str, Any]
    ) -> Iterator[Change]:
        """Record a change when the block ends, with the reason if it fails.

        The block sets `after`. Raises: ArtifactError if the file cannot be written.
        """
        made = Change(what, about, before)
        descriptor = self._opened()
        try:
            try:
                yield made
            except BaseException as error:
                self._append(descriptor, who, made, f"{type(error).__name__}: {error}")
                raise
            self._append(descriptor, who, made, "")
        finally:
            os.close(descriptor)

    def append(
        self,
        who: str,
        what: str,
        *,
        about: Mapping[str, Any] | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        failed: str = "",
    ) -> None:
        """Record one stage of a change; it is on disk when this returns. Raises: ArtifactError."""
        descriptor = self._opened()
        try:
            made = Change(what, about or {}, before or {}, after or {})
            self._append(descriptor, who, made, failed)
        finally:
            os.close(descriptor)

    def entries(self) -> Iterator[Mapping[str, Any]]:
        """All entries, oldest first, but a line that was cut off: it was never confirmed.

        Raises: ArtifactError.
        """
        try:
            with self.path.open("rb") as file:
                for line in file:
                    with suppress(ArtifactError):
                        yield _read(self.path, line)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ArtifactError(f"cannot read {self.path}: {error.strerror}") from error

    def newest(self, n: int) -> list[Mapping[str, Any]]:
        """The last n entries, newest first. Raises: ArtifactError."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - READ_BYTES))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ArtifactError(f"cannot read {self.path}: {error.strerror}") from error
        whole = lines[1:] if size > READ_BYTES else lines
        found: list[Mapping[str, Any]] = []
        for line in reversed(whole):
            if line and len(found) < n:
                found.append(_read(self.path, line))
        return found

    def _opened(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError as error:
            raise ArtifactError(f"cannot write {self.path}: {error.strerror}") from error

    def _append(self, descriptor: int, who: str, made: Change, failed: str) -> None:
        entry = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "who": who,
            "what": made.what,
            "about": dict(made.about),
            "before": dict(made.before),
            "after": dict(made.after),
            "failed": failed,
        }
        try:
            # One write of one line: appends of several processes do not mix. A line that a crash
            # or a full disk cut off is ended first, so that it spoils no other.
            size = os.fstat(descriptor).st_size
            cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            line = b"\n" * cut + json.dumps(entry).encode() + b"\n"
            written = os.write(descriptor, line)
            os.fsync(descriptor)
        except OSError as error:
            raise ArtifactError(f"cannot write {self.path}: {error.strerror}") from error
        if written < len(line):
            raise ArtifactError(f"cannot write {self.path}: the disk took only a part of a line")


def _read(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        entry: Mapping[str, Any] = json.loads(line)
    except ValueError as error:
        raise ArtifactError(f"{path}: a line is cut off or damaged: {line[:80]!r}") from error
    return entry
