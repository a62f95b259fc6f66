"""Artifacts: content-addressed outputs of stages, in a local folder.

`<root>/<shop>/<step>/<key>/` holds one .npy file per column and `manifest.json`, which is written
last: without it the artifact does not exist. Keys cover whatever changes the bytes, so the first
complete artifact of a key wins and nothing is ever changed in place. Manifests carry no time, host
or path. Every file is checked against its SHA-256 before it is loaded; nothing is unpickled.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recommender import failpoints
from recommender.arrays import Columns
from recommender.errors import ArtifactError

FORMAT = 1
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]{0,199}")
_RUN_ID = re.compile(r"[a-z0-9_-]{1,40}\.[0-9]{1,20}")


def artifact_key(
    step: str, version: int, parameters: Mapping[str, Any], inputs: Mapping[str, str]
) -> str:
    """Key of a stage output: SHA-256 over the step's code version, parameters and input keys."""
    content = {"step": step, "version": version, "parameters": parameters, "inputs": inputs}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Artifact:
    """One complete stage output: `summary` is plain JSON, the columns lie in files."""

    folder: Path
    key: str
    summary: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return [name.removesuffix(".npy") for name in self.files]

    def columns(self, *names: str) -> Columns:
        """The named columns, or all, memory-mapped read-only once their checksums hold.

        Raises: ArtifactError where a file is missing, is a link, has another size or checksum.
        """
        files = [f"{name}.npy" for name in names] or list(self.files)
        return {name.removesuffix(".npy"): self._load(name) for name in files}

    def _load(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        path = self.folder / name
        if name not in self.files:
            raise ArtifactError(f"artifact {self.folder}: no file {name} in its manifest")
        expected = self.files[name]
        if path.is_symlink() or not path.is_file():
            raise ArtifactError(f"artifact file {path} is missing or a link; {self._remedy}")
        if path.stat().st_size != expected["size"] or _digest(path) != expected["sha256"]:
            raise ArtifactError(f"artifact file {path} was changed or cut; {self._remedy}")
        loaded: np.ndarray[Any, np.dtype[Any]] = np.load(path, mmap_mode="r", allow_pickle=False)
        return loaded

    @property
    def _remedy(self) -> str:
        return f"remove the folder {self.folder} and run again"


@dataclass(frozen=True, slots=True)
class ArtifactStore:
    """The artifacts of one shop below a local folder."""

    root: Path
    shop: str

    def find(self, step: str, key: str) -> Artifact | None:
        """The artifact of a key, or None where there is no complete one.

        Raises: ArtifactError where its manifest is not one or names a file outside of its folder.
        """
        folder = self._folder(step, key)
        path = folder / MANIFEST
        if not path.exists():
            return None
        manifest = self._manifest(path)
        if manifest.get("format") != FORMAT or manifest.get("key") != key:
            raise ArtifactError(f"{path} has another format or key; remove its folder")
        files = manifest["files"]
        for name in files:
            if not _NAME.fullmatch(name):
                raise ArtifactError(f"{path} names a file {name!r:.80}; remove its folder")
        return Artifact(folder, key, manifest["summary"], files)

    def require(self, step: str, key: str) -> Artifact:
        """The artifact of a key. Raises: ArtifactError where there is none."""
        artifact = self.find(step, key)
        if artifact is None:
            raise ArtifactError(
                f"artifact {self._folder(step, key)} is not there: it was removed, or made on "
                "another machine; run recommender reindex"
            )
        return artifact

    def write(self, step: str, key: str, columns: Columns, summary: Mapping[str, Any]) -> Artifact:
        """Write an artifact whole, or not at all; where the key exists already, that one stays.

        Raises: ArtifactError where the disk refuses, naming the path.
        """
        folder = self._folder(step, key)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.parent))
            try:
                self._fill(staging, key, columns, summary)
                failpoints.hit("artifact.before_rename")
                self._place(staging, folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            raise ArtifactError(f"cannot write artifact {folder}: {error.strerror}") from error
        written = self.find(step, key)
        if written is None:
            raise ArtifactError(f"artifact {folder} went away while it was written; run again")
        return written

    def record_run(self, run_id: str, record: Mapping[str, Any]) -> Path:
        """Write `runs/<run id>.json`: what a run was and did. Raises: ArtifactError."""
        if not _RUN_ID.fullmatch(run_id):
            raise ArtifactError(f"run id {run_id!r:.80} is not SHOP.NUMBER")
        path = self.root / self.shop / "runs" / f"{run_id}.json"
        text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            staged = path.with_suffix(".tmp")
            _write(staged, text.encode())
            staged.replace(path)
        except OSError as error:
            raise ArtifactError(f"cannot write {path}: {error.strerror}") from error
        return path

    def read_run(self, run_id: str) -> Mapping[str, Any]:
        """What was recorded of a run. Raises: ArtifactError where nothing was."""
        path = self.root / self.shop / "runs" / f"{run_id}.json"
        if not _RUN_ID.fullmatch(run_id) or not path.is_file():
            raise ArtifactError(f"no run {run_id!r:.80} is recorded in {path.parent}")
        return self._manifest(path)

    def highest_run(self) -> int:
        """The highest fence under which a run was recorded, 0 without any."""
        folder = self.root / self.shop / "runs"
        return max((int(path.stem.rpartition(".")[2]) for path in folder.glob("*.json")), default=0)

    def _place(self, staging: Path, folder: Path) -> None:
        try:
            staging.rename(folder)
        except OSError:
            if not (folder / MANIFEST).exists():
                raise
        _sync(folder.parent)

    def _folder(self, step: str, key: str) -> Path:
        for name in (self.shop, step, key):
            if not _NAME.fullmatch(name):
                raise ArtifactError(f"artifact name {name!r:.80}: use a-z, 0-9, '.', '_' and '-'")
        return self.root / self.shop / step / key

    def _manifest(self, path: Path) -> Mapping[str, Any]:
        try:
            if path.is_symlink() or path.stat().st_size > MAX_MANIFEST_BYTES:
                raise ArtifactError(f"{path} is a link or too large; remove its folder")
            manifest: Mapping[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path} cannot be read ({error}); remove its folder") from error
        if not isinstance(manifest, dict):
            raise ArtifactError(f"{path} is no JSON object; remove its folder")
        return manifest

    def _fill(self, staging: Path, key: str, columns: Columns, summary: Mapping[str, Any]) -> None:
        files = {}
        for column, array in columns.items():
            name = f"{column}.npy"
            if not _NAME.fullmatch(name):
                raise ArtifactError(f"artifact column {column!r}: use a-z, 0-9, '.', '_' and '-'")
            failpoints.hit("artifact.write")
            path = staging / name
            with path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            files[name] = {"size": path.stat().st_size, "sha256": _digest(path)}
        failpoints.hit("artifact.before_manifest")
        manifest = {"format": FORMAT, "key": key, "summary": summary, "files": files}
        _write(staging / MANIFEST, json.dumps(manifest, sort_keys=True, indent=1).encode())
        _sync(staging)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
