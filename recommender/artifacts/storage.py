"""Storage: the bytes below artifacts. A folder of this machine here, a bucket in object_storage.

A folder is written whole or not at all, its files first and its manifest last. On a local disk,
that is the rename of a synced folder.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recommender.core import failpoints
from recommender.errors import ArtifactError

MANIFEST = "manifest.json"
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
                raise ArtifactError(f"{place} is a link or too large; remove its folder")
            return place.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactError(f"cannot read {place}: {error.strerror}") from error

    def file(self, path: str, size: int, sha256: str) -> Path:
        """The file itself, once its size and checksum hold."""
        place = self.root / path
        if place.is_symlink() or not place.is_file():
            raise damaged(place, path, "is missing or a link")
        if not holds(place, size, sha256):
            raise damaged(place, path, "was changed or cut")
        return place

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
                except OSError:
                    if not (place / MANIFEST).exists():
                        raise
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


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def holds(path: Path, size: int, sha256: str) -> bool:
    """Whether a file has a size and a checksum."""
    return path.stat().st_size == size and digest(path) == sha256


def damaged(file: Path | str, path: str, fault: str) -> ArtifactError:
    """The error of a file, with what to do about it."""
    folder = path.rpartition("/")[0]
    return ArtifactError(f"artifact file {file} {fault}; remove the folder {folder} and run again")


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
        reason = error.strerror or str(error)
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
