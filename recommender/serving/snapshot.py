"""Related lists in a file, for the day on which Redis cannot be read."""

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from recommender.serving import codec
from recommender.serving.cache import Found
from recommender.serving.keys import Keys
from recommender.serving.polled_state import first_found, list_keys

SCHEMA = """
CREATE TABLE pointer (value BLOB NOT NULL);
CREATE TABLE hidden (item TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE lists (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


def write_snapshot(
    path: Path,
    pointer: bytes,
    lists: Iterable[tuple[str, bytes]],
    *,
    hidden: Iterable[str] = (),
) -> None:
    """Write the values of Redis to a file that replaces `path` when it is complete.

    `lists` are pairs of a list's key and its value, `pointer` the value of the live pointer.
    """
    staged = path.with_name(path.name + ".part")
    staged.unlink(missing_ok=True)
    with closing(sqlite3.connect(staged)) as file, file:
        file.executescript(SCHEMA)
        file.execute("INSERT INTO pointer VALUES (?)", (pointer,))
        file.executemany("INSERT INTO hidden VALUES (?)", ((item,) for item in hidden))
        file.executemany("INSERT INTO lists VALUES (?, ?)", lists)
    staged.replace(path)


class Snapshot:
    """A snapshot file, opened read-only. Thread-safe.

    Raises: ValueError or sqlite3.Error for a file that is none or of another schema.
    """

    def __init__(self, path: Path, keys: Keys) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._file = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        try:
            row = self._file.execute("SELECT value FROM pointer").fetchone()
            self._pointer = codec.decode_pointer(row and row[0])
            self.hidden = frozenset(item for (item,) in self._file.execute("SELECT * FROM hidden"))
        except BaseException:
            self._file.close()
            raise

    def found(self, placement: str, item: str) -> Found | None:
        """The list of an item, None where the file has none. Raises: as the class."""
        view = self._pointer.live
        keys = list_keys(self._keys, view, [(placement, item)])
        with self._lock:
            values = [self._value(key) for key in keys]
        found = first_found(self._pointer.fence, view, values, item)
        return None if found.stored is None else found

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _value(self, key: str) -> bytes | None:
        rows: list[tuple[bytes]] = self._file.execute(
            "SELECT value FROM lists WHERE key = ?", (key,)
        ).fetchall()
        return rows[0][0] if rows else None
