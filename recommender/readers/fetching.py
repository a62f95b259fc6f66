"""Fetched inputs: local copies of files behind URLs and of the results of queries.

A copy has a folder of its own under the folder of a shop's copies, named by where it comes from.
It is replaced only where its content changed, after all of it has arrived, so a copy is never half
new, and the keys of a run that nothing changed stay the same.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.core.redaction import redacted_url
from recommender.errors import DataError
from recommender.readers.files import Found

INDEX = "index.json"
RESULT = "query.parquet"
KEPT_S = 30 * 86_400
"""How long a copy is kept that no run asks for."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a copy comes from: a URL of files, or the URL of a database with a query.

    `setting` is the table of the settings that names it. Of a query, at most `rows_max` rows are
    fetched; 0 fetches all.
    """

    setting: str
    url: str
    query: str = ""
    rows_max: int = 0

    @property
    def key(self) -> str:
        """The name of the copy's folder, the same after a change of the password."""
        parts = json.dumps([redacted_url(self.url), self.query, self.rows_max])
        return hashlib.sha256(parts.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Copies:
    """The local copies of a shop's inputs, in a folder that is made when it is needed."""

    folder: Path

    def found(self, origin: Origin) -> list[Found]:
        """The copies of an origin, which are fetched if there are none yet. Raises: as `fetch`."""
        folder = self.folder / origin.key
        index = _read(folder)
        if index is None:
            self.fetch(origin)
            index = _read(folder) or {}
        own = f"{origin.setting}.query" if origin.query else ""
        return [(own or shown, folder / entry["copy"]) for shown, entry in index.items()]

    def fetch(self, origin: Origin) -> None:
        """Bring the copies of an origin up to date.

        Raises: ConfigError and DataError saying what cannot be fetched; the copies stay as they
        were.
        """
        folder = self.folder / origin.key
        try:
            with self._locked():
                folder.mkdir(exist_ok=True)
                self._fetch(origin, folder)
                self._tidy()
        except OSError as error:
            raise DataError(
                f"{origin.setting}: {redacted_url(origin.url)} cannot be copied to {self.folder}: "
                f"{error.strerror or error}; free space, or set state.folder to another disk"
            ) from error

    def _fetch(self, origin: Origin, folder: Path) -> None:
        before = _read(folder) or {}
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=self.folder) as partial:
            arrived = (
                _result(origin, before, Path(partial))
                if origin.query
                else _files(origin, before, Path(partial))
            )
            for entry in arrived.values():
                new, place = Path(partial, entry["copy"]), folder / entry["copy"]
                if new.is_file() and not _same(place, entry, before):
                    place.parent.mkdir(exist_ok=True)
                    new.replace(place)
            if arrived != before:
                _write(folder, arrived)
        os.utime(folder)
        kept = {INDEX, *(Path(entry["copy"]).parts[0] for entry in arrived.values())}
        for gone in folder.iterdir():
            if gone.name not in kept:
                _remove(gone)

    def _tidy(self) -> None:
        """Remove copies that nothing asked for in `KEPT_S`, and what a killed process left."""
        for each in self.folder.iterdir():
            abandoned = each.name.startswith(".partial-")
            if each.is_dir() and (abandoned or time.time() - each.stat().st_mtime > KEPT_S):
                _remove(each)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time fetches; the others wait."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


Index = dict[str, dict[str, str]]
"""What each file is shown as, and its copy: where it is, its sha256 and the `state` of the file."""


def _result(origin: Origin, before: Mapping[str, Mapping[str, str]], partial: Path) -> Index:
    from recommender.readers.databases import write_result

    shown = f"{origin.setting}.query"
    path = partial / RESULT
    state = write_result(origin.url, origin.query, path, what=shown, rows_max=origin.rows_max)
    for name, entry in before.items():
        if entry["state"] == state:  # the same rows, perhaps in another order
            path.unlink()
            return {name: dict(entry)}
    return {shown: {"copy": RESULT, "sha256": _sha256(path), "state": state}}


def _files(origin: Origin, before: Mapping[str, Mapping[str, str]], partial: Path) -> Index:
    from recommender.readers.remote import RemoteFiles

    remote = RemoteFiles(origin.url, origin.setting)
    arrived: Index = {}
    for file in remote.files():
        known = before.get(file.shown)
        if known and file.state and known["state"] == file.state:
            arrived[file.shown] = dict(known)
            continue
        folder = hashlib.sha256(file.shown.encode()).hexdigest()[:16]
        path = partial / folder / file.name
        path.parent.mkdir()
        remote.download(file, path)
        copy = {"copy": f"{folder}/{file.name}", "sha256": _sha256(path), "state": file.state}
        arrived[file.shown] = copy
    return arrived


def _same(place: Path, entry: Mapping[str, str], before: Index) -> bool:
    """Whether a copy is there already, with the same content."""
    digests = {each["copy"]: each["sha256"] for each in before.values()}
    return place.is_file() and digests.get(entry["copy"]) == entry["sha256"]


def _read(folder: Path) -> Index | None:
    """The index of a folder; None where there is none, or a copy is gone."""
    try:
        index: Any = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = all((folder / entry["copy"]).is_file() for entry in index.values())
    return dict(index) if whole else None


def _write(folder: Path, index: Index) -> None:
    new = folder / f"{INDEX}.new"
    new.write_text(json.dumps(index), encoding="utf-8")
    new.replace(folder / INDEX)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
