"""Artifacts behind any fsspec URL, such as a bucket.

The files of a folder are written first, under names that include their content. The manifest is
created last, only where there is none yet, if the store has conditional writes. Existence is
checked by name, never by a listing.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from recommender.artifacts.signing import REPAIR
from recommender.artifacts.storage import (
    CHANGED,
    MANIFEST,
    TEMPORARY,
    Fill,
    damaged,
    digest,
    holds,
    temporary,
    writing,
)
from recommender.core import failpoints
from recommender.errors import ArtifactError, DamagedArtifact, MissingExtra


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """An fsspec URL such as `s3://bucket/prefix`, used like `storage.LocalStorage`.

    Files that are read are kept in `cache`. The endpoint and credentials come from the environment
    (AWS_ENDPOINT_URL, ...).
    """

    url: str
    cache: Path

    def read(self, path: str, limit: int) -> bytes | None:
        """A small file, None where there is none."""
        with self._at(path) as (system, place):
            try:
                content: bytes = system.cat_file(place, start=0, end=limit + 1)
            except FileNotFoundError:
                return None
        if len(content) > limit:
            raise DamagedArtifact(f"{self.url}/{path} is too large; {REPAIR}")
        return content

    def file(self, path: str, size: int, sha256: str) -> Path:
        """A copy on this machine whose size and checksum hold, under the name of its checksum."""
        kept = self.cache / sha256
        if kept.is_file() and holds(kept, size, sha256):
            return kept
        with writing(kept):
            staged = temporary(kept.parent)
        try:
            with self._at(path) as (system, place):
                try:
                    system.get_file(_named(place, sha256), str(staged))
                except FileNotFoundError as error:
                    raise damaged(f"{self.url}/{path}", "is missing") from error
            if not holds(staged, size, sha256):
                raise damaged(f"{self.url}/{path}", CHANGED)
            staged.replace(kept)
        finally:
            staged.unlink(missing_ok=True)
        return kept

    def fault(self, path: str, size: int, sha256: str, *, digests: bool) -> str:
        """What is wrong with the object of a file, "" for nothing.

        For `digests` it is downloaded, and not kept; without, only its size is asked for.
        """
        with self._at(path) as (system, place):
            try:
                if int(system.info(_named(place, sha256))["size"]) != size:
                    return CHANGED
                if not digests:
                    return ""
                with system.open(_named(place, sha256), "rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:
                return "is missing"
        return "" if found == sha256 else CHANGED

    def write(self, folder: str, fill: Fill) -> None:
        """Put the files, then create the manifest; leftovers of a killed writer are overwritten."""
        with writing(self.cache):
            self.cache.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=self.cache))
        try:
            with writing(f"{self.url}/{folder}"):
                manifest = fill(staging)
            with self._at(folder) as (system, place):
                checksums = {file: digest(file) for file in sorted(staging.iterdir())}
                for file, checksum in checksums.items():
                    system.put_file(str(file), _named(f"{place}/{file.name}", checksum))
                failpoints.hit("artifact.before_manifest")
                self.create(f"{folder}/{MANIFEST}", manifest)
            for file, checksum in checksums.items():
                file.replace(self.cache / checksum)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def create(self, path: str, content: bytes) -> bool:
        """Write a small file where there is none yet; False where there is one."""
        with self._at(path) as (system, place):
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

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, whatever was there."""
        with self._at(path) as (system, place):
            system.pipe_file(place, content)

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        with self._at(folder) as (system, place):
            try:
                found = system.ls(place, detail=False, refresh=True)
            except FileNotFoundError:
                return []
        return sorted(str(name).rstrip("/").rpartition("/")[2] for name in found)

    def remove(self, path: str) -> int:
        """Delete a file, or a folder with its manifest first; return the bytes that it took."""
        with self._at(path) as (system, place):
            size = int(system.du(place))
            if system.exists(f"{place}/{MANIFEST}"):
                system.rm_file(f"{place}/{MANIFEST}")
            if system.exists(place):
                system.rm(place, recursive=True)
        return size

    @contextmanager
    def _at(self, path: str) -> Iterator[tuple[Any, str]]:
        """The file system and a place in it; its errors become an ArtifactError that names it."""
        system, root = _file_system(self.url, os.getpid())
        try:
            yield system, f"{root}/{path}"
        except (ArtifactError, FileExistsError, NotImplementedError):
            raise
        except Exception as error:  # every store has errors of its own
            reason = " ".join(str(error).split())
            place = f"{self.url}/{path}"
            raise ArtifactError(f"{place}: {type(error).__name__}: {reason:.300}") from error


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
    """A path that includes the content, so that two writers of a key never overwrite each other."""
    return f"{path}.{sha256[:32]}"
