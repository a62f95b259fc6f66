"""Storage: the bytes below artifacts. A folder of this machine here, a bucket in object_storage.

A folder is written whole or not at all, its files first and its manifest last. On a local disk,
that is the rename of a synced folder.
"""

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recommender.artifacts.signing import REPAIR
from recommender.core import failpoints
from recommender.core.arrays import Columns
from recommender.errors import ArtifactError, DamagedArtifact

MANIFEST = "manifest.json"
NAME = re.compile(r"[a-z0-9_][a-z0-9._-]{0,199}")
CHANGED = "was changed or cut"
TEMPORARY = ".tmp-"

Fill = Callable[[Path], bytes]
"""Writes the files of a folder into an empty one and returns the manifest."""


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder of this machine; paths are relative and use slashes.

    Raises: ArtifactError everywhere.
    """

    root: Path

    def read(self, path: str, limit: int) -> bytes | None:
        """A small file, None where there is none."""
        place = self.root / path
        try:
            if place.is_symlink() or (place.exists() and place.stat().st_size > limit):
                raise DamagedArtifact(f"{place} is a link or too large; {REPAIR}")
            return place.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactError(f"cannot read {place}: {error.strerror}") from error

    def file(self, path: str, size: int, sha256: str) -> Path:
        """The file itself, once its size and checksum hold."""
        if fault := self.fault(path, size, sha256, digests=True):
            raise damaged(self.root / path, fault)
        return self.root / path

    def fault(self, path: str, size: int, sha256: str, *, digests: bool) -> str:
        """What is wrong with a file, "" for nothing; without `digests` only its size is checked."""
        place = self.root / path
        if place.is_symlink() or not place.is_file():
            return "is missing or a link"
        try:
            return "" if holds(place, size, sha256 if digests else "") else CHANGED
        except OSError as error:
            return f"cannot be read ({error.strerror})"

    def write(self, folder: str, fill: Fill) -> None:
        """Write a folder whole or not at all; a complete folder stays as it is."""
        place = self.root / folder
        with writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=place.parent))
            try:
                manifest = fill(staging)
                failpoints.hit("artifact.before_manifest")
                _write(staging / MANIFEST, manifest)
                _sync(staging)
                failpoints.hit("artifact.before_rename")
                try:
                    staging.rename(place)
                except OSError as error:
                    if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                        raise
                    if not (place / MANIFEST).exists():
                        # Its removal was cut off behind the manifest, which goes first.
                        shutil.rmtree(place)
                        staging.rename(place)
                _sync(place.parent)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def create(self, path: str, content: bytes) -> bool:
        """Write a small file where there is none yet; False where there is one."""
        place = self.root / path
        with writing(place), self._staged(place, content) as staged:
            try:
                os.link(staged, place)
            except FileExistsError:
                return False
            _sync(place.parent)
            return True

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, whatever was there."""
        place = self.root / path
        with writing(place), self._staged(place, content) as staged:
            staged.replace(place)
            _sync(place.parent)

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        try:
            return sorted(entry.name for entry in (self.root / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, path: str) -> int:
        """Delete a file, or a folder with its manifest first; return the bytes that it took."""
        place = self.root / path
        if not place.is_dir() or place.is_symlink():
            size = place.lstat().st_size
            place.unlink()
            return size
        size = sum(file.lstat().st_size for file in place.iterdir())
        (place / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(place)
        return size

    @contextmanager
    def _staged(self, place: Path, content: bytes) -> Iterator[Path]:
        staged = temporary(place.parent)
        try:
            _write(staged, content)
            yield staged
        finally:
            staged.unlink(missing_ok=True)


def save_columns(folder: Path, columns: Columns) -> dict[str, dict[str, Any]]:
    """Write columns as .npy files below a folder; returns sizes and checksums by file name."""
    files = {}
    for column, array in columns.items():
        name = f"{column}.npy"
        if not NAME.fullmatch(name):
            raise ArtifactError(f"artifact column {column!r}: use a-z, 0-9, '.', '_' and '-'")
        failpoints.hit("artifact.write")
        path = folder / name
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        files[name] = {"size": path.stat().st_size, "sha256": digest(path)}
    return files


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def holds(path: Path, size: int, sha256: str) -> bool:
    """Whether a file has a size and, unless it is "", a checksum."""
    return path.stat().st_size == size and (not sha256 or digest(path) == sha256)


def damaged(file: Path | str, fault: str) -> DamagedArtifact:
    """The error of a file, with what to do about it."""
    return DamagedArtifact(f"artifact file {file} {fault}; {REPAIR}")


def temporary(folder: Path) -> Path:
    """Make an empty file in a folder, and the folder if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=folder)
    os.close(handle)
    return Path(name)


@contextmanager
def writing(place: Path | str) -> Iterator[None]:
    """Turn an OSError inside of the block into an ArtifactError that names the place."""
    try:
        yield
    except OSError as error:
        # numpy has no error number where a disk takes only a part of an array.
        reason = error.strerror or "the disk took only a part of it; make room and run again"
        raise ArtifactError(f"cannot write {place}: {reason}") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
