"""What a lookup does without Redis: lists in memory, a snapshot file, a circuit breaker."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from redis.exceptions import RedisError

from recommender.errors import StoreUnavailable
from recommender.serving import codec
from recommender.serving.keys import Keys
from recommender.serving.state import (
    LayeredList,
    NotAsked,
    PolledState,
    first_layer,
    list_keys,
)

FAILURES = 5
"""The breaker opens after this many failures in a row."""
PROBE_INTERVAL_S = 1.0
"""How often a server is probed while the breaker is open."""
MAX_SET_ASIDE = 1000
SNAPSHOT_SCHEMA = """
CREATE TABLE pointer (value BLOB NOT NULL);
CREATE TABLE hidden (item TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE lists (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""

CacheKey = tuple[str, str, bool]
"""A placement, an item, and whether the canary was read."""


class ListCache:
    """At most `bound` lists; the least recently used one is evicted first. Thread-safe."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = threading.Lock()
        self._lists: OrderedDict[CacheKey, LayeredList] = OrderedDict()
        self.too_large: dict[CacheKey, int] = {}

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, key: CacheKey) -> LayeredList | None:
        """The cached list, whichever its fence."""
        with self._lock:
            found = self._lists.get(key)
            if found is not None:
                self._lists.move_to_end(key)
            return found

    def put_all(self, found: Iterable[tuple[CacheKey, LayeredList]]) -> None:
        """Cache lists, except where the cache has a list of a later fence."""
        lists = self._lists
        with self._lock:
            for key, newer in found:
                cached = lists.get(key)
                if cached is None:
                    lists[key] = newer
                elif cached.fence <= newer.fence:
                    lists[key] = newer
                    lists.move_to_end(key)
            while len(lists) > self._bound:
                lists.popitem(last=False)

    def follow(self, before: PolledState, state: PolledState) -> None:
        """Keep the lists for bad days alone where the server lost data between two polls.

        Its pointer is gone then, or its fence did not rise; and fences are drawn a second time.
        """
        if state.raw == before.raw or (
            state.pointer and not (before.pointer and state.pointer.fence <= before.pointer.fence)
        ):
            return
        with self._lock:
            self.too_large = {}
            for key, cached in self._lists.items():
                self._lists[key] = cached._replace(fence=0)

    def set_aside(self, key: CacheKey, fence: int) -> None:
        """Note a list that is too large, so that it is not read again under this fence."""
        if len(self.too_large) >= MAX_SET_ASIDE:
            self.too_large = {}
        self.too_large[key] = fence


class Snapshot:
    """A snapshot file, opened read-only. Thread-safe.

    Raises: ValueError or sqlite3.Error for a file that is not a snapshot or of another schema.
    """

    def __init__(self, path: Path, keys: Keys) -> None:
        import sqlite3  # most lookups need none, and importing it takes milliseconds

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

    def list_of(self, placement: str, item: str) -> LayeredList | None:
        """The list of an item, None where the file has none. Raises: as the class."""
        view = self._pointer.live
        keys = list_keys(self._keys, view, [(placement, item)])
        with self._lock:
            values = [self._value(key) for key in keys]
        found = first_layer(self._pointer.fence, view, values, item)
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


def write_snapshot(
    path: Path,
    pointer: bytes,
    lists: Iterable[tuple[str, bytes]],
    *,
    hidden: Iterable[str] = (),
) -> None:
    """Write the values of Redis to a file that replaces `path` when it is complete.

    `lists` are pairs of a list's key and its value, `pointer` is the value of the live pointer,
    `hidden` are the ids of all items that must not be shown, the unavailable ones among them.
    """
    import sqlite3

    staged = path.with_name(path.name + ".part")
    staged.unlink(missing_ok=True)
    with closing(sqlite3.connect(staged)) as file, file:
        file.executescript(SNAPSHOT_SCHEMA)
        file.execute("INSERT INTO pointer VALUES (?)", (pointer,))
        file.executemany("INSERT INTO hidden VALUES (?)", ((item,) for item in hidden))
        file.executemany("INSERT INTO lists VALUES (?, ?)", lists)
    staged.replace(path)


def of_server(error: BaseException) -> bool:
    """Whether an error is something that the server did, or left undone when it was asked.

    What this process did is not: a wait for a connection of its own, a late event loop, a defect.
    """
    return isinstance(error, OSError | RedisError | StoreUnavailable) and not isinstance(
        error, NotAsked
    )


class Breaker:
    """Opens after `FAILURES` failures in a row; only a probe that succeeds closes it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self.opened = 0
        self.open = False

    def failed(self) -> None:
        """Count a failure or a missed deadline."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES and not self.open:
                self.open = True
                self.opened += 1

    def succeeded(self) -> None:
        """End the row of failures. An open breaker stays open."""
        if self._failures and not self.open:
            with self._lock:
                self._failures = 0

    def close(self) -> None:
        """Let requests read again, after a probe succeeded."""
        with self._lock:
            self._failures = 0
            self.open = False
