"""Storage: the bytes below artifacts, in a local folder or behind any fsspec URL.

Both write a folder whole or not at all: its files first, the manifest last. On a local disk that
is a rename of a synced folder; on an object store the manifest is created only where there is none
yet, if the store knows conditions. Whether something exists is asked by its name, never by a list.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from recommender.core import failpoints
from recommender.errors import ArtifactError, MissingExtra

MANIFEST = "manifest.json"
TEMPORARY = ".tmp-"

Fill = Callable[[Path], bytes]
"""Writes the files of a folder into an empty one and returns the manifest."""


class Storage(Protocol):
    """Where bytes lie; paths are relative and use slashes. Raises: ArtifactError everywhere."""

    def read(self, path: str, limit: int) -> bytes | None:
        """A small file, None where there is none."""

    def file(self, path: str, size: int, sha256: str) -> Path:
        """A file on this machine whose size and checksum hold."""

    def write(self, folder: str, fill: Fill) -> None:
        """Write a folder whole, or not at all; one that is complete already stays."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a small file where there is none yet; False where there is one."""

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, whatever was there."""

    def names(self, folder: str) -> list[str]:
        """What a folder holds, for tidying up: a list may be late, so nothing else goes by it."""

    def remove(self, path: str) -> int:
        """Delete a file, or a folder with its manifest first; returns the bytes that it took."""


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder of this machine."""

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
            raise ArtifactError(f"artifact file {place} is missing or a link; {_remedy(path)}")
        if place.stat().st_size != size or digest(place) != sha256:
            raise ArtifactError(f"artifact file {place} was changed or cut; {_remedy(path)}")
        return place

    def write(self, folder: str, fill: Fill) -> None:
        """Write a folder whole, or not at all; one that is complete already stays."""
        place = self.root / folder
        with _writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=place.parent))
            try:
                manifest = fill(staging)
                failpoints.hit("artifact.before_manifest")
                _write(staging / MANIFEST, manifest)
                _sync(staging)
                failpoints.hit("artifact.before_rename")
                self._place(staging, place)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def create(self, path: str, content: bytes) -> bool:
        """Write a small file where there is none yet; False where there is one."""
        place = self.root / path
        with _writing(place), self._staged(place, content) as staged:
            try:
                os.link(staged, place)
            except FileExistsError:
                return False
            _sync(place.parent)
            return True

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, whatever was there."""
        place = self.root / path
        with _writing(place), self._staged(place, content) as staged:
            staged.replace(place)
            _sync(place.parent)

    def names(self, folder: str) -> list[str]:
        """What a folder holds."""
        try:
            return sorted(entry.name for entry in (self.root / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, path: str) -> int:
        """Delete a file, or a folder with its manifest first; returns the bytes that it took."""
        place = self.root / path
        if not place.is_dir() or place.is_symlink():
            size = place.lstat().st_size
            place.unlink()
            return size
        size = sum(file.lstat().st_size for file in place.iterdir())
        (place / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(place)
        return size

    def _place(self, staging: Path, place: Path) -> None:
        try:
            staging.rename(place)
        except OSError:
            if not (place / MANIFEST).exists():
                raise
        _sync(place.parent)

    @contextmanager
    def _staged(self, place: Path, content: bytes) -> Iterator[Path]:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=place.parent)
        os.close(handle)
        staged = Path(name)
        try:
            _write(staged, content)
            yield staged
        finally:
            staged.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """An fsspec URL such as `s3://bucket/prefix`; files that are read are kept in `cache`.

    Where a store lies and who may use it stands in its own environment (AWS_ENDPOINT_URL, ...).
    """

    url: str
    cache: Path

    def read(self, path: str, limit: int) -> bytes | None:
        """A small file, None where there is none."""
        system, root = self._opened()
        with _remote(f"{self.url}/{path}"):
            try:
                content: bytes = system.cat_file(f"{root}/{path}", start=0, end=limit + 1)
            except FileNotFoundError:
                return None
        if len(content) > limit:
            raise ArtifactError(f"{self.url}/{path} is too large; remove its folder")
        return content

    def file(self, path: str, size: int, sha256: str) -> Path:
        """A copy on this machine whose size and checksum hold, under the name of its checksum."""
        kept = self._kept(sha256)
        if kept.is_file() and kept.stat().st_size == size and digest(kept) == sha256:
            return kept
        system, root = self._opened()
        with _writing(kept):
            kept.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=kept.parent)
            os.close(handle)
        try:
            with _remote(f"{self.url}/{path}"):
                try:
                    system.get_file(_named(f"{root}/{path}", sha256), name)
                except FileNotFoundError as error:
                    raise ArtifactError(
                        f"artifact file {self.url}/{path} is missing; {_remedy(path)}"
                    ) from error
            if Path(name).stat().st_size != size or digest(Path(name)) != sha256:
                raise ArtifactError(
                    f"artifact file {self.url}/{path} was changed or cut; {_remedy(path)}"
                )
            Path(name).replace(kept)
        finally:
            Path(name).unlink(missing_ok=True)
        return kept

    def write(self, folder: str, fill: Fill) -> None:
        """Put the files, then create the manifest; what a killed writer left is written over."""
        system, root = self._opened()
        place = f"{self.url}/{folder}"
        with _writing(self.cache):
            self.cache.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=self.cache))
        try:
            with _writing(place):
                manifest = fill(staging)
            with _remote(place):
                checksums = {file: digest(file) for file in sorted(staging.iterdir())}
                for file, checksum in checksums.items():
                    system.put_file(str(file), _named(f"{root}/{folder}/{file.name}", checksum))
                failpoints.hit("artifact.before_manifest")
                self._create(f"{folder}/{MANIFEST}", manifest)
            for file, checksum in checksums.items():
                file.replace(self._kept(checksum))
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def create(self, path: str, content: bytes) -> bool:
        """Write a small file where there is none yet; False where there is one."""
        with _remote(f"{self.url}/{path}"):
            return self._create(path, content)

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, whatever was there."""
        system, root = self._opened()
        with _remote(f"{self.url}/{path}"):
            system.pipe_file(f"{root}/{path}", content)

    def names(self, folder: str) -> list[str]:
        """What a folder holds."""
        system, root = self._opened()
        with _remote(f"{self.url}/{folder}"):
            try:
                found = system.ls(f"{root}/{folder}", detail=False, refresh=True)
            except FileNotFoundError:
                return []
        return sorted(str(name).rstrip("/").rpartition("/")[2] for name in found)

    def remove(self, path: str) -> int:
        """Delete a file, or a folder with its manifest first; returns the bytes that it took."""
        system, root = self._opened()
        place = f"{root}/{path}"
        with _remote(f"{self.url}/{path}"):
            size = int(system.du(place))
            if system.exists(f"{place}/{MANIFEST}"):
                system.rm_file(f"{place}/{MANIFEST}")
            if system.exists(place):
                system.rm(place, recursive=True)
        return size

    def _create(self, path: str, content: bytes) -> bool:
        system, root = self._opened()
        place = f"{root}/{path}"
        try:
            system.pipe_file(place, content, mode="create")
        except FileExistsError:
            return False
        except NotImplementedError:
            # A store without conditions: the same key has the same content, whoever was first.
            if system.exists(place):
                return False
            system.pipe_file(place, content)
        return True

    def _opened(self) -> tuple[Any, str]:
        return _file_system(self.url, os.getpid())

    def _kept(self, sha256: str) -> Path:
        return self.cache / sha256


def storage_at(url: str, cache: Path) -> Storage:
    """The storage behind a folder or URL; `cache` keeps what is read from afar."""
    if url.startswith("file://") or "://" not in url:
        return LocalStorage(Path(url.removeprefix("file://")))
    return ObjectStorage(url.rstrip("/"), cache)


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=8)
def _file_system(url: str, _process: int) -> tuple[Any, str]:
    """The file system of a URL, one per process: its threads do not survive a fork."""
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"artifacts.url = {url!r} needs fsspec; pip install 'recommender[s3]'"
        ) from error
    try:
        system, root = fsspec.url_to_fs(url, skip_instance_cache=True, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise MissingExtra(f"artifacts.url = {url!r}: {error}") from error
    return system, str(root).rstrip("/")


def _named(path: str, sha256: str) -> str:
    """Two writers of one key never write over each other: a file is named by its content too."""
    return f"{path}.{sha256[:32]}"


def _remedy(path: str) -> str:
    return f"remove the folder {path.rpartition('/')[0]} and run again"


@contextmanager
def _writing(place: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArtifactError(f"cannot write {place}: {reason}") from error


@contextmanager
def _remote(place: str) -> Iterator[None]:
    """Errors of a store as ours; those that ask for credentials name no secret."""
    try:
        yield
    except (ArtifactError, FileExistsError, NotImplementedError):
        raise
    except Exception as error:  # every store has errors of its own
        told = " ".join(str(error).split())
        raise ArtifactError(f"{place}: {type(error).__name__}: {told:.300}") from error


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
