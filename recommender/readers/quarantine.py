"""Quarantine: refused rows as JSON lines, for the people who mend the data."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from recommender.errors import DataError

MAX_VALUE = 100


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is malformed: where it starts, why, and the value at fault without its row.

    `line` is the physical line in a text file, the row's number in Parquet, both from 1. `column`
    and `value` are empty where the row as a whole is at fault. Values of the user column never
    stand here.
    """

    line: int
    reason: str
    column: str = ""
    value: str = ""


class Quarantine:
    """The refused rows of one run, written to a temporary file beside `path` as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: IO[str] | None = None

    def add(self, key: str, name: str, row: RefusedRow) -> None:
        """Write one refused row of the file `name`, the input `key`."""
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = NamedTemporaryFile(  # noqa: SIM115
                "w", encoding="ascii", dir=self.path.parent, prefix=".quarantine-", delete=False
            )
        self._stream.write(json.dumps({"input": key, "file": name} | asdict(row)) + "\n")

    def commit(self) -> None:
        """Put the rows at `path`; where there are none, remove an earlier run's."""
        if self._stream is None:
            self.path.unlink(missing_ok=True)
            return
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        Path(self._stream.name).replace(self.path)
        self._stream = None

    def discard(self) -> None:
        """Leave `path` as it was."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            Path(self._stream.name).unlink(missing_ok=True)
            self._stream = None


@contextmanager
def quarantine_at(path: Path) -> Iterator[Quarantine]:
    """A quarantine that is complete when reading ends, or stops at faulty data; else none."""
    quarantine = Quarantine(path)
    try:
        yield quarantine
        quarantine.commit()
    except DataError:
        quarantine.commit()
        raise
    finally:
        quarantine.discard()
